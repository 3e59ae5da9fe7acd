"""The API, asked with the token of whoever is logged in."""

from django.conf import settings
from django.http import HttpRequest
from horizon import exceptions
from keystoneauth1 import session, token_endpoint
from openstack_dashboard import policy
from openstack_dashboard.api import base
from prataiclient import Client, UnavailableError
from prataiclient.connection import SERVICE_TYPE

_TIMEOUT_SECONDS = 75
"""A function that is waited for answers within a minute, or the API does in its place."""


def client(request: HttpRequest) -> Client:
    """Return a client for the endpoint that the catalogue of this user's token has.

    Raises UnavailableError where it has none.
    """
    try:
        url = base.url_for(request, SERVICE_TYPE)
    except exceptions.ServiceCatalogException as error:
        raise UnavailableError("the catalogue of this region has no such service") from error
    auth = token_endpoint.Token(url, request.user.token.id)
    made = session.Session(auth=auth, verify=_trusted(), timeout=_TIMEOUT_SECONDS)
    return Client(made, endpoint=url)


def may(request: HttpRequest, *rules: str) -> bool:
    """Say whether the policy lets the user do all of this, as far as Horizon knows it: the API
    judges for itself.
    """
    return bool(policy.check(tuple((SERVICE_TYPE, rule) for rule in rules), request))


def _trusted() -> bool | str:
    """Return how the API's certificate is checked: as those of all that Horizon speaks to."""
    if settings.OPENSTACK_SSL_NO_VERIFY:
        return False
    return settings.OPENSTACK_SSL_CACERT or True
