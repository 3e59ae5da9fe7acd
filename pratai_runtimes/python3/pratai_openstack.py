"""A session of keystoneauth1 for a function that has it among its requirements."""

from __future__ import annotations

from keystoneauth1 import access, session
from keystoneauth1.identity.access import AccessInfoPlugin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


CATALOGUE_SECONDS = 10.0
"""How long Keystone may be silent when it is asked where the services are."""


def session_of(identity: Mapping[str, str]) -> session.Session:
    """Return a session of whoever a token is of: no other token can be had by it.

    Keystone may not say to everybody what their token is good for, but where the services are.
    """
    url, token = identity["auth_url"], identity["token"]
    said = session.Session(timeout=CATALOGUE_SECONDS).get(
        f"{url}/auth/catalog", headers={"X-Auth-Token": token}, authenticated=False
    )
    known = {
        "catalog": said.json()["catalog"],
        "expires_at": identity["expires_at"],
        "methods": ["token"],
        "project": {"id": identity["project_id"]},
        "user": {"id": identity["user_id"]},
    }
    made = access.create(body={"token": known}, auth_token=token)
    return session.Session(auth=AccessInfoPlugin(made, auth_url=url))
