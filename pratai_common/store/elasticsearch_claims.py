"""What only one function may have: a name in a project. And who has a public endpoint.

A document of its own for each, named by what is claimed, can be made by one alone. It is made
before the function gets the name and removed after it has let go of it. A function is the last
word: a claim of one that does not live or has another name is free, at once where it was deleted,
else after ``GRACE_MS``: whoever made the claim has written the function by then, or has given up.
"""

import hashlib

import msgspec

from pratai_common.clock import Clock
from pratai_common.errors import NameTakenError
from pratai_common.records import Function, Record
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.elasticsearch_access import Access, Source, Write
from pratai_common.store.elasticsearch_answers import Hit, new_stamp, stored

GRACE_MS = 30_000


class Claim(Record, frozen=True, kw_only=True):
    """Which function has a name or an endpoint, and since when."""

    function_id: str
    claimed_at: int


class Claims:
    """See the module."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    def take_name(self, function: Function) -> None:
        """Claim a function's name for it; raises NameTakenError where another living one has it.

        A claim that it has already is made anew: who is about to remove it then does not.
        """
        name = _name_id(function)
        mine = Claim(function_id=function.function_id, claimed_at=self._clock())
        while not self._written(self._access.create(indices.CLAIMS, name, _source(mine))):
            hit = self._access.read(indices.CLAIMS, [name]).get(name)
            if hit is None:
                continue
            there = stored(hit, Claim).record
            if there.function_id != mine.function_id and self._counts(there, function):
                raise NameTakenError(function.name)
            if self._written(self._access.over(hit, _source(mine))):
                return

    def name_of(self, function: Function) -> Hit | None:
        """Return a function's claim to its name, to be removed when it has another."""
        name = _name_id(function)
        hit = self._access.read(indices.CLAIMS, [name]).get(name)
        owner = None if hit is None else stored(hit, Claim).record.function_id
        return hit if owner == function.function_id else None

    def remove(self, claim: Hit) -> None:
        """Remove a claim, unless it was made anew."""
        self._access.write([self._access.removal(claim)])

    def put_endpoint(self, token: str, function_id: str) -> None:
        """Let a function be found by its endpoint's token."""
        claim = Claim(function_id=function_id, claimed_at=self._clock())
        write = self._access.put(indices.CLAIMS, _endpoint_id(token), _source(claim))
        self._access.write([write], repeatable=True)

    def remove_endpoint(self, token: str) -> None:
        """Forget a token that no function has any more."""
        self._access.write([self._access.delete(indices.CLAIMS, _endpoint_id(token))])

    def owner_of_endpoint(self, token: str) -> str | None:
        """Return the function that has or had a token."""
        name = _endpoint_id(token)
        hit = self._access.read(indices.CLAIMS, [name]).get(name)
        return None if hit is None else stored(hit, Claim).record.function_id

    def _written(self, write: Write) -> bool:
        """Write a claim. Repeated, its own conflict is seen as one's claim to be made anew."""
        return self._access.write([write], repeatable=True)[0]

    def _counts(self, claim: Claim, wanted: Function) -> bool:
        """Say whether a claim keeps a name from another function."""
        found = self._access.read(indices.FUNCTIONS, [claim.function_id])
        if claim.function_id in found:
            owner = stored(found[claim.function_id], Function).record
            if owner.deleted_at is not None:
                return False
            if (owner.project_id, owner.name) == (wanted.project_id, wanted.name):
                return True
        return self._clock() - claim.claimed_at < GRACE_MS


def _source(claim: Claim) -> Source:
    return {"record": claim, "stamp": new_stamp()}


def _name_id(function: Function) -> str:
    return _id("name", function.project_id, function.name)


def _endpoint_id(token: str) -> str:
    return _id("endpoint", token)


def _id(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
