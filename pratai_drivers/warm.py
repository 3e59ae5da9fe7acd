"""A started container with a runner that waits: for its function, or for its next event."""

import time
from collections.abc import Callable
from contextlib import suppress

from pratai_common.errors import EngineError
from pratai_drivers.conversation import Conversation, EndedError, Patience, disturbed
from pratai_drivers.engines.base import Container
from pratai_drivers.fit import Fit
from pratai_drivers.interruption import Interruption
from pratai_drivers.masking import NO_FORMS, Forms
from pratai_drivers.runner_link import Failure, Ready
from pratai_drivers.secrets_cache import Given

_SETTLE_SECONDS = 5.0
"""How long a runner may take to clean up after an event."""


class Warm:
    """See the module. Belongs to one thread at a time.

    ``alone`` says why it handles one event only, where it was asked for more; ``events`` is how
    many it was given so far. ``began`` is when its start did, on the monotonic clock, where it was
    started for its function; ``started`` is called once, when it starts no more: its runner is
    there, or never will be.
    """

    def __init__(
        self,
        container: Container,
        conversation: Conversation,
        fit: Fit,
        image: str,
        load: bytes,
        start_seconds: float,
        began: float | None = None,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self.container = container
        self.conversation = conversation
        self.fit = fit
        self.image = image
        self.alone: str | None = None
        self.events = 0
        self._load = load
        self._start_seconds = start_seconds
        self._started: Callable[[], None] | None = started
        self._began = began
        self._loaded: float | None = None
        self._ready: float | None = None
        self._tokens = NO_FORMS

    @property
    def ready(self) -> bool:
        """Whether the function is imported."""
        return self._ready is not None

    @property
    def reusable(self) -> bool:
        """Whether it may handle more than one event."""
        return self.fit.isolation != "container" and self.alone is None

    @property
    def making_seconds(self) -> float | None:
        """How long it took from the start of its container until it was ready."""
        if self._began is None or self._ready is None:
            return None
        return self._ready - self._began

    def init_seconds(self) -> float | None:
        """Return what of the imports belongs to the current event, which may end during them."""
        if self._loaded is None:
            return None
        if self.events > 1:
            return 0.0
        return (self._ready or time.monotonic()) - self._loaded

    def load(self, interruption: Interruption, timeout: float) -> None:
        """Have the function imported within ``timeout`` seconds, if it is not yet.

        Raises EndedError where it cannot be, and EngineError if the container never ran its runner.
        """
        if self.ready:
            return
        try:
            deadline = time.monotonic() + self._start_seconds
            self.conversation.connect(Patience(interruption, deadline, ""))
        finally:
            self._start_ends()
        self._loaded = time.monotonic()
        self.conversation.say(self._load)
        self._load = b""  # with secrets, perhaps
        message = f"it did not end within {timeout:g} s (imports and main together)"
        said = self._becomes_ready(Patience(interruption, self._loaded + timeout, message))
        self.alone = said.alone
        self._ready = time.monotonic()

    def begin_event(self) -> float:
        """Return what the imports took of the next event's time, in seconds."""
        self.events += 1
        return self.init_seconds() or 0.0

    def hidden(self, given: Given) -> Forms:
        """Return what is hidden in what the next event prints, which is given this.

        Where it shares its process with former ones these are their tokens, too.
        """
        forms = given.forms.joined(self._tokens)
        if self.fit.isolation == "shared" and given.identity is not None:
            self._tokens = self._tokens.joined(Forms([given.identity.token.encode()]))
        return forms

    def settle(self, interruption: Interruption) -> bool:
        """Say whether it waits for the next event, now or as soon as it has cleaned up.

        One that was to handle one event is not asked: code that was taken over could answer.
        """
        if not self.reusable:
            return False
        deadline = time.monotonic() + _SETTLE_SECONDS
        try:
            said = self._becomes_ready(Patience(interruption, deadline, "it does not clean up"))
        except (EndedError, EngineError):
            return False  # its event has been answered: what is amiss ends only this container
        return said.alone is None and self.conversation.drained()

    def _becomes_ready(self, patience: Patience) -> Ready:
        said = self.conversation.hear(patience)
        if isinstance(said, Failure):
            raise EndedError(said.reason, said.message)
        if not isinstance(said, Ready):
            raise disturbed("it answered before it was asked")
        return said

    def _start_ends(self) -> None:
        started, self._started = self._started, None
        if started is not None:
            started()

    def discard(self) -> None:
        """End it, and leave nothing of it."""
        self._start_ends()
        with suppress(EngineError):
            self.container.remove()
        self.conversation.close()
