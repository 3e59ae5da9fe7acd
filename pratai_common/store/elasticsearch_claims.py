"""What only one function, or one event, may have: a name in a project. And who has a public
endpoint.

A document of its own for each, named by what is claimed, can be made by one alone. It is made
before the owner gets the name and removed after it has let go of it. The owner is the last word:
a claim of one that does not live or has another name is free, at once where it was deleted, else
after ``GRACE_MS``: whoever made the claim has written the owner by then, or has given up.
"""

import hashlib
from typing import NamedTuple

import msgspec

from pratai_common.clock import Clock
from pratai_common.errors import NameTakenError
from pratai_common.records import Record
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.elasticsearch_access import Access, Source, Write
from pratai_common.store.elasticsearch_answers import Hit, new_stamp, stored

GRACE_MS = 30_000


_SORTS = {indices.FUNCTIONS: "name", indices.EVENTS: "event"}
"""By the index of those who have names: what tells their claims from others'."""


class Name(NamedTuple):
    """A name in a project that a record of an index has, or is to get."""

    kind: str
    project_id: str
    name: str
    owner_id: str


class Claim(Record, frozen=True, kw_only=True):
    """Whose a name or an endpoint is, and since when."""

    # Claims of functions were there before those of events.
    owner_id: str = msgspec.field(name="function_id")
    claimed_at: int


class _Owner(Record, frozen=True, kw_only=True):
    """What of an owner's record tells whether its claim counts."""

    project_id: str
    name: str
    deleted_at: int | None = None


class Claims:
    """See the module."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    def take_name(self, name: Name) -> None:
        """Claim a name for its owner; raises NameTakenError where another living one has it.

        A claim that it has already is made anew: who is about to remove it then does not.
        """
        key = _name_id(name)
        mine = Claim(owner_id=name.owner_id, claimed_at=self._clock())
        while not self._written(self._access.create(indices.CLAIMS, key, _source(mine))):
            hit = self._access.read(indices.CLAIMS, [key]).get(key)
            if hit is None:
                continue
            there = stored(hit, Claim).record
            if there.owner_id != mine.owner_id and self._counts(there, name):
                raise NameTakenError(name.name)
            if self._written(self._access.over(hit, _source(mine))):
                return

    def to_name(self, name: Name) -> Hit | None:
        """Return the owner's claim to its name, to be removed when it has another."""
        key = _name_id(name)
        hit = self._access.read(indices.CLAIMS, [key]).get(key)
        owner = None if hit is None else stored(hit, Claim).record.owner_id
        return hit if owner == name.owner_id else None

    def remove(self, claim: Hit) -> None:
        """Remove a claim, unless it was made anew."""
        self._access.write([self._access.removal(claim)])

    def put_endpoint(self, token: str, function_id: str) -> None:
        """Let a function be found by its endpoint's token."""
        claim = Claim(owner_id=function_id, claimed_at=self._clock())
        write = self._access.put(indices.CLAIMS, _endpoint_id(token), _source(claim))
        self._access.write([write], repeatable=True)

    def remove_endpoint(self, token: str) -> None:
        """Forget a token that no function has any more."""
        self._access.write([self._access.delete(indices.CLAIMS, _endpoint_id(token))])

    def owner_of_endpoint(self, token: str) -> str | None:
        """Return the function that has or had a token."""
        name = _endpoint_id(token)
        hit = self._access.read(indices.CLAIMS, [name]).get(name)
        return None if hit is None else stored(hit, Claim).record.owner_id

    def _written(self, write: Write) -> bool:
        """Write a claim. Repeated, its own conflict is seen as one's claim to be made anew."""
        return self._access.write([write], repeatable=True)[0]

    def _counts(self, claim: Claim, wanted: Name) -> bool:
        """Say whether a claim keeps a name from another owner."""
        found = self._access.read(wanted.kind, [claim.owner_id])
        if claim.owner_id in found:
            owner = stored(found[claim.owner_id], _Owner).record
            if owner.deleted_at is not None:
                return False
            if (owner.project_id, owner.name) == (wanted.project_id, wanted.name):
                return True
        return self._clock() - claim.claimed_at < GRACE_MS


def _source(claim: Claim) -> Source:
    return {"record": claim, "stamp": new_stamp()}


def _name_id(name: Name) -> str:
    return _id(_SORTS[name.kind], name.project_id, name.name)


def _endpoint_id(token: str) -> str:
    return _id("endpoint", token)


def _id(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
