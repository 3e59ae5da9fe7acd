"""What a function is given beside its code: which secrets, and by whose right.

What a change replaces is taken back behind it, and what it made where it fails. A right that cannot
be taken back then stays in Keystone, where the service user alone could use it: nothing is said to
who calls, whose change holds, and its id stands in the log.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from pratai_api import caller, schemas
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_api.trusts import (
    Grant,
    TrustRefusedError,
    TrustRevokedError,
    Trusts,
    TrustsUnavailableError,
)
from pratai_common.records import Function, SecretUse, Trust
from pratai_common.sealing import Sealer, SealError

LOG = logging.getLogger(__name__)
Require = Callable[[Function], None]
"""Raises ApiError where a function as it is now may not be changed so; it needs no request."""

Store = Callable[[dict[str, Any], Require], Function]
"""Gives a function new values, and returns it as it was before that; raises ApiError."""

_Asked = schemas.TrustWanted | UnsetType | None
_HARMLESS = {"enabled"}
"""What anybody who may change a function may change of one that acts for somebody else."""


def uses(asked: list[schemas.SecretUse]) -> tuple[SecretUse, ...]:
    """Return the secrets that a function needs, as they are recorded; raises ApiError (400) where
    it cannot be given them all.
    """
    found = tuple(_use(each) for each in asked)
    for field in ("file", "environment"):
        places = [getattr(each, field) for each in found if getattr(each, field) is not None]
        for place in places:
            if places.count(place) > 1:
                raise _invalid(f"several secrets have the {field} {place}")
    return found


def check(function: Function) -> None:
    """Refuse a variable that is to have two values; raises ApiError (400)."""
    for each in function.secrets:
        if each.environment in function.environment:
            raise _invalid(f"{each.environment} is a variable and a secret's")


@contextmanager
def given(function: Function, asked: schemas.TrustWanted | None) -> Iterator[Function]:
    """Give a new function the right that it needs; it is taken back where the block fails.

    Raises ApiError: 400, 403 and 503.
    """
    trust = _trust(function, UNSET if asked is None else asked)
    with _kept(trust):
        yield replace(function, trust=trust)


def change(function: Function, values: dict[str, Any], asked: _Asked, store: Store) -> bool:
    """Have new values of a function stored, with the right that it needs by them, made of who
    calls. Returns whether there was anything to store.

    Raises ApiError: 400, 403 and 503, and what ``store`` does.
    """
    require = partial(_require_giver, caller.current().user_id, values, asked)
    require(function)
    trust = _trust(replace(function, **values), asked)
    if trust != function.trust:
        values = {**values, "trust": trust}
    if not values:
        return False
    with _kept(None if _same(trust, function.trust) else trust):
        former = store(values, require)
    if "trust" in values and not _same(trust, former.trust):
        _let_go(former.trust)
    return True


def take_back(function: Function) -> None:
    """Take back what a function that is to go was given; raises ApiError (503)."""
    trust = function.trust
    if trust is not None and services().trusts is not None:
        with _asking() as trusts:
            trusts.delete(trust, caller.current().token)


def take_back_newer(function: Function, now: Function | None) -> None:
    """Take back what a function was given since it was read: another has changed it meanwhile."""
    if now is not None and not _same(now.trust, function.trust):
        _let_go(now.trust)


def _let_go(trust: Trust | None) -> None:
    """Take back what no function has any more; where that fails the log has its id."""
    if trust is None or services().trusts is None:
        return
    try:
        with _asking() as trusts:
            trusts.delete(trust, caller.current().token)
    except ApiError as error:
        LOG.error("the trust %s stays, which no function has: %s", trust.trust_id, error)


def grant_of(trust: Trust) -> Grant:
    """Return what a function's right is used by; raises TrustRevokedError where nobody can."""
    if trust.sealed is None:
        return Grant(trust.trust_id)
    try:
        return Grant(trust.trust_id, _sealer().open(trust.sealed))
    except SealError as error:
        raise TrustRevokedError(f"the application credential cannot be used: {error}") from error


def _trust(function: Function, asked: _Asked) -> Trust | None:
    """Return the right that a function needs: what it has, or a new one."""
    has = function.trust
    if isinstance(asked, schemas.TrustWanted):
        _require_own(function)
        return _asked_for(asked)
    stays = has is not None and has.asked and asked is UNSET
    if stays:
        return has
    if not (function.secrets and services().secrets.needs_trust):
        return None
    if has is not None and not has.asked and not _becomes_anothers(function, has):
        return has
    _require_own(function)
    return _make(services().trust_roles, False)


def _becomes_anothers(function: Function, trust: Trust) -> bool:
    """Say whether it is the right of who calls that counts from now on: not of an administrator
    from elsewhere, whose own project has other secrets.
    """
    who = caller.current()
    return who.project_id == function.project_id and who.user_id != trust.user_id


def _require_own(function: Function) -> None:
    """Refuse a right in another project than the function's; raises ApiError (403)."""
    if caller.current().project_id != function.project_id:
        message = "you call from another project than the function's"
        raise ApiError(403, "trust_refused", message)


def _asked_for(asked: schemas.TrustWanted) -> Trust:
    if asked.roles is not UNSET and asked.application_credential is UNSET:
        return _make(asked.roles, True)
    if asked.roles is UNSET and asked.application_credential is not UNSET:
        return _accept(asked.application_credential)
    raise _invalid("trust has either roles or an application_credential")


def _make(roles: Iterable[str], asked: bool) -> Trust:
    """Have who calls give a right; raises ApiError (400, 403, 503)."""
    with _asking() as trusts:
        who = caller.current()
        if who.token is None:
            raise ApiError(403, "trust_refused", "a trust is given by a token of Keystone")
        unique = list(dict.fromkeys(roles))
        return trusts.make(who.token, who.user_id, who.project_id, unique, asked)


def _accept(credential: schemas.ApplicationCredential) -> Trust:
    """Take an application credential of who calls; raises ApiError (400, 403, 503)."""
    with _asking() as trusts:
        who = caller.current()
        grant = Grant(credential.id, credential.secret)
        roles = trusts.roles(grant, who.user_id, who.project_id)
    sealed = _sealer().seal(credential.secret)
    return Trust(trust_id=credential.id, user_id=who.user_id, roles=roles, sealed=sealed)


@contextmanager
def _asking() -> Iterator[Trusts]:
    """Give how rights are made and taken back, to no more callers at a time than may wait for
    Keystone; raises ApiError (400, 403, 503).
    """
    trusts = services().trusts
    if trusts is None:
        raise _invalid("a trust needs Keystone, which this installation does not ask")
    with services().secret_waits.place():
        try:
            yield trusts
        except TrustRefusedError as error:
            raise ApiError(403, "trust_refused", str(error)) from error
        except TrustsUnavailableError as error:
            headers = {"Retry-After": "1"}
            raise ApiError(503, "identity_unavailable", str(error), headers) from error


@contextmanager
def _kept(made: Trust | None) -> Iterator[None]:
    """Let a new right be of use to nobody where the block fails."""
    try:
        yield
    except BaseException:
        _let_go(made)
        raise


def _sealer() -> Sealer:
    return Sealer(services().key, "application credential")


def _require_giver(user_id: str, values: dict[str, Any], asked: _Asked, function: Function) -> None:
    """Let nobody else change what acts in somebody's name: it would do what they want with it."""
    trust = function.trust
    if trust is None or not trust.asked or trust.user_id == user_id:
        return
    if asked is UNSET and values and values.keys() <= _HARMLESS:
        return
    message = f"it acts in the name of user {trust.user_id}, who alone may change it"
    raise ApiError(403, "trust_of_another", message)


def _same(one: Trust | None, other: Trust | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.trust_id, one.sealed) == (other.trust_id, other.sealed)


def _use(asked: schemas.SecretUse) -> SecretUse:
    if asked.file is not None and asked.environment is not None:
        raise _invalid(f"the secret {asked.name} has a file and a variable: name it twice")
    file = asked.file if asked.environment is not None else asked.file or asked.name
    return SecretUse(name=asked.name, file=file, environment=asked.environment)


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid", message)
