"""How to log in, as openstacksdk reads it from variables, options and clouds.yaml."""

import sys
from argparse import Namespace
from collections.abc import Mapping
from getpass import getpass

from keystoneauth1.exceptions import ClientException
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.exceptions import ConfigException

from prataiclient.errors import ClientError

_OF_NO_FILE = {"defaults", "envvars"}
"""The clouds that openstacksdk knows of where there is no clouds.yaml."""
_UNSAID = (
    "no cloud is named: set OS_CLOUD or --os-cloud, or the OS_* variables of an openrc file; "
    "or OS_PRATAI_URL alone, where there is no Keystone"
)


def open_cloud(given: Mapping[str, str | None], said: bool) -> CloudRegion:
    """Return the cloud that is meant. ``given`` are options by name (``os_cloud``), ``said`` is
    whether they or the variables say which.

    Raises ClientError where it is not clear which one, or how to log in.
    """
    try:
        config = OpenStackConfig(pw_func=_ask)
        if not said and _OF_NO_FILE.issuperset(config.get_cloud_names()):
            raise ClientError(_UNSAID)
        cloud = config.get_one(argparse=Namespace(**given))
        cloud.get_session()
    except (ConfigException, ClientException) as error:
        raise ClientError(f"it is not clear how to log in: {error}") from error
    return cloud


def _ask(prompt: str | None = None) -> str:
    """Return a password that was not given elsewhere."""
    if not sys.stdin.isatty():
        raise ClientError("no password is given: set OS_PASSWORD, or write it into clouds.yaml")
    return getpass(prompt or "Password: ")
