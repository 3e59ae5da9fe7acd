"""How the command line connects: by options, variables, and clouds.yaml."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from importlib import import_module

from keystoneauth1 import session

from prataiclient.client import Client
from prataiclient.connection import SERVICE_TYPE, TIMEOUT_SECONDS

_OPTIONS = {
    "cloud": "the cloud in clouds.yaml",
    "region-name": "the region whose endpoint is used",
    "interface": "the kind of endpoint: public, internal or admin",
    "auth-url": "Keystone's address",
    "auth-type": "how to log in: password, v3applicationcredential, token, ...",
    "username": "",
    "user-id": "",
    "user-domain-name": "",
    "user-domain-id": "",
    "project-name": "",
    "project-id": "",
    "project-domain-name": "",
    "project-domain-id": "",
    "application-credential-name": "",
    "application-credential-id": "",
    "cacert": "file with the CA bundle to trust",
    "cert": "file with the client's certificate",
    "key": "file with the client's key",
}
"""No password, token or secret: everybody on a machine can read its command lines."""
_WHICH_CLOUD = ("os_cloud", "os_auth_url", "os_auth_type")
"""The options, and in capitals the variables, without which no Keystone is meant."""


def add_options(parser: ArgumentParser) -> None:
    """Let a parser take ``--os-cloud`` and its like, which win over the variables."""
    group = parser.add_argument_group("the cloud", "each is a variable too, as OS_CLOUD")
    for name, text in _OPTIONS.items():
        value = name.rsplit("-", 1)[-1].upper()
        group.add_argument(f"--os-{name}", metavar=value, default=None, help=text or None)


def open_client(environment: Mapping[str, str], options: Namespace) -> Client:
    """Return a client of the API; nothing is asked of anybody yet.

    Keystone's catalogue says where the API is, unless ``OS_PRATAI_URL`` does, which is enough
    alone. Raises ClientError where it is not said how to log in.
    """
    url = environment.get("OS_PRATAI_URL") or None
    given = {name: value for name, value in vars(options).items() if name.startswith("os_")}
    said = any(given.get(name) or environment.get(name.upper()) for name in _WHICH_CLOUD)
    if url is not None and not said:
        return Client(endpoint=url)
    return _by_keystone(url, given, said)


def _by_keystone(url: str | None, given: Mapping[str, str | None], said: bool) -> Client:
    # It imports openstacksdk, which takes a third of a second: saved where there is no Keystone.
    cloud = import_module("prataiclient.cloud").open_cloud(given, said)
    made: session.Session = cloud.get_session()
    made.timeout = made.timeout or TIMEOUT_SECONDS
    return Client(
        made,
        endpoint=url or cloud.get_endpoint(SERVICE_TYPE),
        region_name=cloud.get_region_name(SERVICE_TYPE),
        interface=cloud.get_interface(SERVICE_TYPE),
    )
