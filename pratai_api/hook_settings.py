"""How a function's endpoint is to know who calls it, as the settings say; what is secret of that
leaves here sealed.
"""

from typing import Any

from pratai_api import hook_auth
from pratai_api.errors import ApiError
from pratai_api.services import services


def sealed(values: dict[str, Any], former: str) -> dict[str, Any]:
    """Return settings that are given, by name, with the secret as it is stored. ``former`` is the
    function's ``auth`` so far.

    A secret is of one kind of proof, so another ``auth`` needs a new one, and with ``none`` it is
    forgotten. Raises ApiError (400) where the two do not go together.
    """
    if "auth" not in values and "auth_secret" not in values:
        return values
    auth, secret = values.get("auth", former), values.get("auth_secret")
    if auth == "none":
        if secret is not None:
            raise _invalid("auth_secret goes with auth token, github or standard")
        return {**values, "auth_secret": None}
    if secret is not None:
        _require(auth, secret)
        return {**values, "auth_secret": services().hook_sealer.seal(secret)}
    if auth != former or "auth_secret" in values:
        raise _invalid(f"auth {auth} needs an auth_secret")
    return values


def _require(auth: str, secret: str) -> None:
    try:
        hook_auth.require_secret(auth, secret)
    except ValueError as error:
        raise _invalid(f"auth_secret does not go with auth {auth}: {error}") from None


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid", message)
