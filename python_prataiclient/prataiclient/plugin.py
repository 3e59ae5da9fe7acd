"""The plug-in of the ``openstack`` program: every command as ``openstack function ...``.

What that program looks for in this module is named as it wants. The commands are entry points of
the group ``COMMANDS``, and ``pratai`` has the same (``shell.py``).
"""

import os
from argparse import ArgumentParser
from typing import Any

from prataiclient.client import Client
from prataiclient.connection import SERVICE_TYPE

API_NAME = "pratai"
API_VERSION_OPTION = "os_pratai_api_version"
API_VERSIONS = {"1": "prataiclient.client.Client"}
DEFAULT_API_VERSION = "1"
COMMANDS = "openstack.pratai.v1"


def make_client(instance: Any) -> Client:
    """Return a client that uses the program's session. ``OS_PRATAI_URL`` and then the cloud's
    ``function_endpoint_override`` go before Keystone's catalogue.
    """
    configuration = instance.get_configuration()
    override = configuration.get(f"{SERVICE_TYPE}_endpoint_override")
    return Client(
        instance.session,
        endpoint=os.environ.get("OS_PRATAI_URL") or override,
        region_name=instance.region_name,
        interface=instance.interface,
    )


def build_option_parser(parser: ArgumentParser) -> ArgumentParser:
    """Add the option that says which version of the interface is used: there is one."""
    parser.add_argument(
        "--os-pratai-api-version",
        metavar="<pratai-api-version>",
        default=os.environ.get("OS_PRATAI_API_VERSION", DEFAULT_API_VERSION),
        help=f"Pratai API version, default={DEFAULT_API_VERSION} (Env: OS_PRATAI_API_VERSION)",
    )
    return parser
