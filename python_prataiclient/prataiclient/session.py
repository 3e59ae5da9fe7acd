"""The connection to the service: by Keystone's catalogue, or to an address that is given."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from keystoneauth1 import adapter, exceptions, noauth, session

from prataiclient.errors import RefusedError, UnavailableError

SERVICE_TYPE = "function"
_TIMEOUT_SECONDS = 120
_USER_AGENT = "python-prataiclient"
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


def make_adapter(environment: Mapping[str, str], options: Namespace) -> adapter.Adapter:
    """Return an adapter for the API; nothing is asked of anybody yet.

    Keystone's catalogue says where the API is, unless ``OS_PRATAI_URL`` does, which is enough
    alone. Raises ClientError where it is not said how to log in.
    """
    url = environment.get("OS_PRATAI_URL", "").rstrip("/") or None
    given = {name: value for name, value in vars(options).items() if name.startswith("os_")}
    said = any(given.get(name) or environment.get(name.upper()) for name in _WHICH_CLOUD)
    if url is not None and not said:
        plugin = noauth.NoAuth(endpoint=url)
        return _adapter(session.Session(auth=plugin, timeout=_TIMEOUT_SECONDS), {})
    return _by_keystone(url, given, said)


def _by_keystone(url: str | None, given: Mapping[str, str | None], said: bool) -> adapter.Adapter:
    # It imports openstacksdk, which takes a third of a second: saved where there is no Keystone.
    cloud = import_module("prataiclient.cloud").open_cloud(given, said)
    made: session.Session = cloud.get_session()
    made.timeout = made.timeout or _TIMEOUT_SECONDS
    where = {
        "interface": cloud.get_interface(SERVICE_TYPE),
        "region_name": cloud.get_region_name(SERVICE_TYPE),
        "endpoint_override": url or cloud.get_endpoint(SERVICE_TYPE),
    }
    return _adapter(made, where)


def _adapter(made: session.Session, where: Mapping[str, Any]) -> adapter.Adapter:
    return adapter.Adapter(
        made, service_type=SERVICE_TYPE, user_agent=_USER_AGENT, raise_exc=False, **where
    )


def log_in(connection: adapter.Adapter) -> str:
    """Get a token where there is none that is still valid for a while; returns the API's address.

    Raises RefusedError where Keystone refuses, UnavailableError where it does not answer, or knows
    no such service.
    """
    try:
        connection.get_token()
        url: str | None = connection.get_endpoint()
    except exceptions.Unauthorized as error:
        raise RefusedError(f"Keystone refuses the credentials: {error.message}") from error
    except exceptions.EmptyCatalog as error:
        message = "this login is to no project: set OS_PROJECT_NAME, or OS_PROJECT_ID"
        raise RefusedError(message) from error
    except exceptions.EndpointNotFound as error:
        raise UnavailableError(f"the catalogue does not lead there: {error}") from error
    except (exceptions.ConnectionError, exceptions.DiscoveryFailure) as error:
        where = getattr(connection.session.auth, "auth_url", None)
        raise UnavailableError(f"Keystone does not answer at {where}: is it up?") from error
    except exceptions.ClientException as error:
        raise RefusedError(f"Keystone refuses to let you in: {error}") from error
    if url is None:
        region = f" in the region {connection.region_name}" if connection.region_name else ""
        message = f"the catalogue has no {connection.interface} endpoint of type {SERVICE_TYPE}"
        raise UnavailableError(f"{message}{region}: set OS_PRATAI_URL, or ask the operator")
    return url
