"""What functions are given beside their code, for a short time and in this memory alone.

The answer to one run serves others of the same function and version, and the spares that are made
for them meanwhile. It is named by a digest that says nothing to anybody else: what is given is
part of what makes a container the right one for an event, so none meets events after a value has
changed. Of runs that want the same at once one asks, and its answer, or failure, is that of all.
"""

import hashlib
import hmac
import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from pratai_common import limits
from pratai_common.errors import PrataiError, TransferError
from pratai_common.messages import Job
from pratai_common.provisions import Delegated, GivenSecret, Provisions
from pratai_common.records import SecretUse
from pratai_drivers.engines.base import GivenUp
from pratai_drivers.masking import NO_FORMS, Forms
from pratai_drivers.secrets_fetching import RefusedError

Fetch = Callable[[Job, GivenUp], Provisions]
"""Asks the API; raises WithheldError and TransferError."""

MOST_BYTES = 64 * limits.MIB
"""Of all answers together, with the forms that values are looked for in; beyond that the oldest
goes. One function's take less than 20 MiB, and most a few KiB.
"""

_DIGEST_KEY_BYTES = 32
_LOOK_SECONDS = 0.2
"""How often who waits for another's answer looks whether they still want it."""


class Given(NamedTuple):
    """What a function is given; ``digest`` is the same for the same secrets, empty for none.
    ``forms`` are what is hidden of it in what the function prints.
    """

    secrets: tuple[GivenSecret, ...] = ()
    identity: Delegated | None = None
    digest: str = ""
    forms: Forms = NO_FORMS


NOTHING = Given()


class _Key(NamedTuple):
    function_id: str
    version: int
    secrets: tuple[SecretUse, ...]
    delegated: bool
    trust: str | None

    @classmethod
    def of(cls, job: Job) -> "_Key":
        package = job.package
        return cls(package.function_id, package.version, job.secrets, job.delegated, job.trust)


class _Entry(NamedTuple):
    """An answer. It serves until ``until``, by the monotonic clock; a run whose token has to last
    beyond ``expires``, in seconds since 1970, needs another one.
    """

    given: Given
    until: float
    expires: float
    size: int


@dataclass(eq=False)
class _Asking:
    """Somebody asks. ``given`` and ``failure`` are for those who wait; where there is neither when
    it is ``over`` they ask for themselves.
    """

    over: bool = False
    given: Given | None = None
    failure: PrataiError | None = None


class SecretsCache:
    """See the module. ``seconds`` is how long an answer serves; ``clock`` gives seconds and only
    goes forward, ``wall`` those since 1970. May be used from many threads.
    """

    def __init__(
        self,
        fetch: Fetch,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._clock = clock
        self._wall = wall
        self._digest_key = os.urandom(_DIGEST_KEY_BYTES)
        self._changed = threading.Condition()
        self._entries: dict[_Key, _Entry] = {}
        self._size = 0
        self._asking: dict[_Key, _Asking] = {}
        self._stopped = False
        self._sweeper = threading.Thread(target=self._sweep, name="secrets", daemon=True)

    def start(self) -> None:
        """Begin to let go of what serves no more, also where nobody asks for anything."""
        self._sweeper.start()

    def stop(self) -> None:
        """Let go of everything."""
        with self._changed:
            self._stopped = True
            self._let_go(len(self._entries))
            self._changed.notify_all()
        if self._sweeper.is_alive():
            self._sweeper.join()

    def of(self, job: Job, given_up: GivenUp) -> Given:
        """Return what a job's function is given; raises WithheldError and TransferError."""
        if job.secrets_url is None:
            return NOTHING
        key = _Key.of(job)
        while True:
            with self._changed:
                known = self._serving(key, job)
                if known is not None:
                    return known
                asking = self._asking.get(key)
                if asking is None:
                    mine = self._asking[key] = _Asking()
                    break
                self._wait_for(asking, given_up)
            if asking.failure is not None:
                raise asking.failure
            if asking.given is not None:
                return asking.given
        return self._ask(key, mine, job, given_up)

    def known(self, digest: str) -> Given | None:
        """Return what has a digest, without its identity, if it is known just now."""
        if not digest:
            return NOTHING
        with self._changed:
            self._forget()
            for entry in self._entries.values():
                if entry.given.digest == digest:
                    return entry.given._replace(identity=None)
        return None

    def __len__(self) -> int:
        """Return how many answers it has."""
        with self._changed:
            return len(self._entries)

    def _serving(self, key: _Key, job: Job) -> Given | None:
        """Return an answer that is there, and is valid for as long as the job may run."""
        self._forget()
        entry = self._entries.get(key)
        if entry is None or entry.expires < self._wall() + job.timeout:
            return None
        return entry.given

    def _wait_for(self, asking: _Asking, given_up: GivenUp) -> None:
        """Wait until another's question is over; raises TransferError where it is given up."""
        while not asking.over:
            if given_up():
                raise TransferError("its secrets are wanted no more")
            self._changed.wait(_LOOK_SECONDS)

    def _ask(self, key: _Key, asking: _Asking, job: Job, given_up: GivenUp) -> Given:
        """Ask for oneself and for those who wait meanwhile."""
        try:
            given = self._given(self._fetch(job, given_up))
        except RefusedError:
            raise  # this attempt's own affair
        except PrataiError as error:
            if not given_up():
                asking.failure = error
            raise
        else:
            asking.given = given
            return given
        finally:
            with self._changed:
                asking.over = True
                del self._asking[key]
                if asking.given is not None:
                    self._keep(key, asking.given)
                self._changed.notify_all()

    def _given(self, provisions: Provisions) -> Given:
        digest = ""
        if provisions.secrets:
            content = msgspec.msgpack.encode(provisions.secrets)
            digest = hmac.digest(self._digest_key, content, hashlib.sha256).hex()
        values = [each.value for each in provisions.secrets]
        if provisions.identity is not None:
            values.append(provisions.identity.token.encode())
        return Given(provisions.secrets, provisions.identity, digest, Forms(values))

    def _keep(self, key: _Key, given: Given) -> None:
        if self._stopped:
            return
        expires = float("inf") if given.identity is None else _seconds(given.identity.expires_at)
        size = given.forms.size + sum(len(each.value) for each in given.secrets) + limits.KIB
        former = self._entries.pop(key, None)
        self._entries[key] = _Entry(given, self._clock() + self._seconds, expires, size)
        self._size += size - (0 if former is None else former.size)
        while self._size > MOST_BYTES:
            self._let_go(1)

    def _forget(self) -> None:
        """Let go of what serves no more."""
        now = self._clock()
        over = itertools.takewhile(lambda entry: entry.until <= now, self._entries.values())
        self._let_go(sum(1 for _ in over))

    def _let_go(self, count: int) -> None:
        """Forget the oldest, which stand first."""
        for _ in range(count):
            self._size -= self._entries.pop(next(iter(self._entries))).size

    def _sweep(self) -> None:
        with self._changed:
            while not self._stopped:
                self._forget()
                first = next(iter(self._entries.values()), None)
                self._changed.wait(None if first is None else first.until - self._clock())


def _seconds(time_of_day: str) -> float:
    """Return a time as Keystone writes it in seconds since 1970, long ago where that is none."""
    try:
        return datetime.fromisoformat(time_of_day).timestamp()
    except ValueError:
        return 0.0
