"""Spares: containers that wait for events, made ahead of them or left by them.

A function's spares have imported it, and fit its next event without further ado. Blank ones become
the container of a function that has none (``blanks.py``). All are made and removed in threads of
the pool's own. What memory they take is what no job wants.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from oslo_config import cfg

from pratai_common.errors import EngineError
from pratai_drivers.blanks import Blanks, BlankSpare
from pratai_drivers.conversation import EndedError
from pratai_drivers.demand import Bounds, Demand, Order
from pratai_drivers.fit import Fit
from pratai_drivers.secrets_cache import NOTHING, Given
from pratai_drivers.settling import Settling
from pratai_drivers.shelf import Making, Shelf, Spare, alive
from pratai_drivers.starter import Starter
from pratai_drivers.warm import Warm

LOG = logging.getLogger(__name__)
_Task = Callable[[], None]
_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
"""How long none are made where the engine failed at one."""

_MOST_SAID = 1024
"""Functions of whose spares a node tells, as many as a message takes."""


class Pool:
    """See the module. ``runtimes`` are the images of runtimes by name. ``claimed`` says how much
    memory jobs take that have begun, in MB; neither it nor ``clock`` (seconds, forward only) waits
    for anybody. ``known`` returns what is given to functions whose secrets have a digest, if that
    is known: without it no spare of theirs is made. May be used from many threads.
    """

    def __init__(
        self,
        starter: Starter,
        conf: cfg.ConfigOpts,
        runtimes: Mapping[str, str],
        claimed: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        known: Callable[[str], Given | None] = lambda digest: None if digest else NOTHING,
    ) -> None:
        options = conf.pool
        self._starter = starter
        self._claimed = claimed
        self._clock = clock
        self._known = known
        self._memory: int = conf.driver.memory
        self._most_memory: int = self._memory * options.memory_percent // 100
        self._starts: int = options.starts
        self._most: int = options.spares
        self._events: int = options.events
        bounds = Bounds(options.spares, options.idle_seconds, options.pinned_seconds)
        self._demand = Demand(bounds)
        self._shelf = Shelf(self._demand, Blanks(options.blanks, runtimes))
        self._discarded: deque[Spare] = deque()
        self._look_at = 0.0
        self._make_at = 0.0
        self._closed = self._stopped = False
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._settling = Settling(lock)
        self._threads = [
            threading.Thread(
                target=self._serve, args=(self._to_do,), name=f"pool-{number}", daemon=True
            )
            for number in range(self._starts)
        ]
        self._threads.append(
            threading.Thread(
                target=self._serve, args=(self._to_remove,), name="pool-removes", daemon=True
            )
        )

    def start(self) -> None:
        """Begin to make spares."""
        for thread in self._threads:
            thread.start()

    def forget(self, function_id: str) -> None:
        """Have a function's spares removed, and make no more until it is asked for again."""
        with self._changed:
            self._discarded += self._shelf.forget(function_id)
            self._changed.notify_all()

    def drain(self) -> None:
        """Have all spares removed, and make no more."""
        with self._changed:
            self._closed = True
            self._discarded += self._shelf.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """End, when all spares are removed."""
        self.drain()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        while self._discarded:
            self._discarded.popleft().discard()

    # For events

    def take(self, fit: Fit, timeout: float, pinned: int | None) -> Warm | None:
        """Return a container that waits for an event like this, ``None`` where there is none.

        Either way ``release`` is told when the event has ended.
        """
        with self._changed:
            self._demand.arrived(fit, timeout, pinned, self._clock())
            self._shelf.arrives(fit)
            if not self._shelf.count(fit):
                self._settling.wait(fit, lambda: self._shelf.count(fit) > 0)
            while (warm := self._shelf.take(fit)) is not None:
                if alive(warm):
                    return warm
                self._demand.died(fit, self._clock())
                self._discarded.append(warm)
        return None

    def adopt(self, fit: Fit, image: str, given: Given = NOTHING) -> Warm | None:
        """Return a container that was blank and is a function's now, with what that is given;
        ``None`` where none can be.
        """
        while (blank := self._blank(fit)) is not None:
            try:
                warm = blank.give(fit, image, given) if blank.quiet() else None
            except BaseException as error:
                self._put_aside(blank)
                if not isinstance(error, EngineError):
                    raise
                LOG.warning("a blank container could not be given a function: %s", error)
                return None
            if warm is not None:
                return warm
            if self._put_back(blank):
                return None
            self._put_aside(blank)
        return None

    def settles(self, warm: Warm) -> None:
        """Note that a container answers its event now; ``release`` is told whether it has more."""
        if warm.reusable:
            with self._changed:
                self._settling.begins(warm)

    def release(self, fit: Fit, warm: Warm | None, again: bool) -> None:
        """Take back what handled an event, if anything did; it is removed if not ``again``."""
        with self._changed:
            self._shelf.leaves(fit)
            if warm is not None:
                self._settling.ends(warm)
            if warm is not None and warm.ready and warm.events == 1:
                self._demand.ready(fit, warm.image, warm.making_seconds, warm.reusable)
            if warm is not None and again and self._keeps(warm):
                self._shelf.put(warm, self._clock())
                return
            self._changed.notify_all()
        if warm is not None:
            warm.discard()

    def give_way(self) -> None:
        """Remove the spares whose memory is wanted by jobs that have begun."""
        with self._changed:
            doomed = self._shelf.give_way(self._crowded, self._size(), self._clock())
        for spare in doomed:
            spare.discard()

    def ready(self) -> tuple[tuple[str, int, int], ...]:
        """Return function, version and how many spares of it wait."""
        with self._changed:
            counts = self._shelf.counts()
        return tuple((*code, count) for code, count in counts.items())[:_MOST_SAID]

    def _crowded(self) -> bool:
        return self._shelf.memory() > max(0, self._memory - self._claimed())

    def _size(self, ending: int = 0) -> int:
        """Return what spares may take now; ``ending`` of what jobs take is just let go."""
        return max(0, min(self._most_memory, self._memory - self._claimed() + ending))

    def _keeps(self, warm: Warm) -> bool:
        """Say whether there is room for a container whose job still counts as one that runs.

        It said just now that it waits; ``take`` looks whether it still does.
        """
        return (
            not self._closed
            and warm.reusable
            and warm.events < self._events
            and self._shelf.count(warm.fit) < self._most
            and not warm.container.out_of_memory()
            and self._has_room(warm.fit)
        )

    def _has_room(self, fit: Fit) -> bool:
        """Say whether one more may wait, if need be in the place of one that is seldom wanted."""
        size = self._size(fit.memory)
        if not self._shelf.has_room(fit, size):
            self._discarded += self._shelf.displaced(fit, size, self._clock())
            self._changed.notify_all()
        return self._shelf.has_room(fit, size)

    def _blank(self, fit: Fit) -> BlankSpare | None:
        with self._changed:
            return self._shelf.blanks.take(fit)

    def _put_back(self, blank: BlankSpare) -> bool:
        """Have it wait again, if it can; ``False`` where it cannot."""
        with self._changed:
            stays = not self._closed and blank.quiet()
            if stays:
                self._shelf.blanks.put(blank)
            return stays

    def _put_aside(self, blank: BlankSpare) -> None:
        """Have it removed, later and by another thread."""
        with self._changed:
            self._discarded.append(blank)

    # The pool's own threads

    def _serve(self, find: Callable[[float], _Task | None]) -> None:
        while self._serves(find):
            pass

    def _serves(self, find: Callable[[float], _Task | None]) -> bool:
        """Do one thing; ``False`` where nothing is to be done any more."""
        try:
            task = self._next(find)
            if task is not None:
                task()
        except Exception:
            LOG.exception("a fault of the node")
            with self._changed:
                self._make_at = self._clock() + _PAUSE_SECONDS
            return True
        return task is not None

    def _next(self, find: Callable[[float], _Task | None]) -> _Task | None:
        """Wait until there is something to do; ``None`` where nothing more is."""
        with self._changed:
            while not (self._stopped and not self._discarded):
                task = find(self._clock())
                if task is not None:
                    return task
                self._changed.wait(_LOOK_SECONDS)
        return None

    def _to_remove(self, now: float) -> _Task | None:
        """Return what removes a spare: never what waits for anybody's import."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._discarded += self._shelf.weed(self._size(), now)
        return self._discarded.popleft().discard if self._discarded else None

    def _to_do(self, now: float) -> _Task | None:
        """Return what removes a spare, or makes one."""
        if self._discarded:
            return self._discarded.popleft().discard
        making = self._begin(now)
        return None if making is None else partial(self._make, making)

    def _begin(self, now: float) -> Making | None:
        """Return what to make now. As much as slots start for events the pool leaves to them."""
        if self._closed or now < self._make_at or self._starter.starting >= self._starts:
            return None
        return self._shelf.begin(self._size(), now)

    def _make(self, making: Making) -> None:
        made: Spare | None = None
        try:
            if isinstance(making.what, Order):
                made = self._of_function(making.what)
                if made is not None:
                    made.load(making.interruption, making.what.timeout)
            else:
                made = self._starter.start_blank(making.what, making.interruption)
                if made is None:
                    self._shelf.blanks.turn_off()
        except (EndedError, EngineError) as error:
            self._not_made(making, error)
        finally:
            kept = self._made(making, made)
            making.interruption.close()
            if made is not None and not kept:
                made.discard()

    def _of_function(self, order: Order) -> Warm | None:
        """Start a spare of a function, unless what that is given is not known any more."""
        given = self._known(order.fit.secrets)
        if given is not None:
            return self._starter.start(order.fit, order.image, given)
        with self._changed:
            self._demand.failed(order.fit)
        return None

    def _made(self, making: Making, made: Spare | None) -> bool:
        """Have what was made wait, and say whether it does."""
        with self._changed:
            self._shelf.end(making)
            if not making.wanted or self._closed:
                return False
            if isinstance(made, BlankSpare):
                self._shelf.blanks.put(made)
            elif made is not None and made.ready:
                self._demand.made(made.fit, made.making_seconds)
                self._shelf.put(made, self._clock())
            else:
                return False
            return True

    def _not_made(self, making: Making, error: Exception) -> None:
        """Make no more of this for now, except where it was the node that did not want it.

        What a function's code said is its project's affair, and in no log of the node's.
        """
        if not making.wanted:
            return
        why = error.reason if isinstance(error, EndedError) else error
        with self._changed:
            if isinstance(making.what, Order):
                fit = making.what.fit
                self._demand.failed(fit)
                LOG.warning("no spare of %s, version %d: %s", fit.function_id, fit.version, why)
            else:
                LOG.warning("no blank container of %s: %s", making.what.image, why)
            if isinstance(error, EngineError):
                self._make_at = self._clock() + _PAUSE_SECONDS
