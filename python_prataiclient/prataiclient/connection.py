"""The connection to the service: by Keystone's catalogue, or to an address that is given."""

from keystoneauth1 import adapter, exceptions, noauth, session

from prataiclient.errors import RefusedError, UnavailableError

SERVICE_TYPE = "function"
TIMEOUT_SECONDS = 120
_USER_AGENT = "python-prataiclient"


def connect(
    through: session.Session | None,
    endpoint: str | None,
    region_name: str | None,
    interface: str | None,
) -> adapter.Adapter:
    """Return an adapter for the API; nothing is asked of anybody yet.

    Without a session nobody is asked for a token, and the address must be given.
    """
    url = None if endpoint is None else endpoint.rstrip("/")
    if through is None:
        if url is None:
            raise ValueError("a client needs a session, or the endpoint of a service without one")
        through = session.Session(auth=noauth.NoAuth(endpoint=url), timeout=TIMEOUT_SECONDS)
    return adapter.Adapter(
        through,
        service_type=SERVICE_TYPE,
        user_agent=_USER_AGENT,
        raise_exc=False,
        endpoint_override=url,
        region_name=region_name,
        interface=interface,
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
