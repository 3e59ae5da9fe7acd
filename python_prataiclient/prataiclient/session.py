"""The connection to the service, from OS_* variables."""

from collections.abc import Mapping

from keystoneauth1 import adapter, noauth, session

from prataiclient.errors import ClientError

SERVICE_TYPE = "function"
_TIMEOUT_SECONDS = 120


def make_adapter(environment: Mapping[str, str]) -> adapter.Adapter:
    """Return an adapter for the API that ``OS_PRATAI_URL`` names; raises ClientError without."""
    url = environment.get("OS_PRATAI_URL")
    if not url:
        raise ClientError("OS_PRATAI_URL is not set: source the clientrc of your installation")
    return adapter.Adapter(
        session.Session(auth=noauth.NoAuth(endpoint=url.rstrip("/")), timeout=_TIMEOUT_SECONDS),
        service_type=SERVICE_TYPE,
        user_agent="python-prataiclient",
        raise_exc=False,
    )
