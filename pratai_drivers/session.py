"""One event in one container: gives it to the runner, takes the answer, says how it ended."""

import time
from typing import NamedTuple

from pratai_common.errors import Reason
from pratai_common.records import ResponseHead
from pratai_common.response_heads import BadResponseError
from pratai_drivers.conversation import EndedError, Patience, disturbed, starved
from pratai_drivers.interruption import Interruption
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import Failure, Ready, Said, event_header, head_of
from pratai_drivers.warm import Warm


class Ending(NamedTuple):
    """How the user's code ended. Times in milliseconds; ``reason`` is ``None`` for success.

    ``answered`` says that the runner itself has told so: it may have more events.
    """

    reason: str | None
    message: str | None
    output: bytes | None
    init_ms: float | None
    run_ms: float | None
    response: ResponseHead | None = None
    answered: bool = False


class Session:
    """See the module. ``timeout`` is in seconds, of imports and main together."""

    def __init__(
        self,
        warm: Warm,
        logs: LogCutter,
        interruption: Interruption,
        context: dict[str, object],
        payload: bytes,
        timeout: float,
    ) -> None:
        self._warm = warm
        self._logs = logs
        self._interruption = interruption
        self._context = context
        self._payload = payload
        self._timeout = timeout
        self._began: float | None = None

    def run(self) -> Ending:
        """Return how it ended; raises EngineError if the container never ran its runner."""
        conversation = self._warm.conversation
        conversation.begin_log(self._logs)
        try:
            self._warm.load(self._interruption, self._timeout)
            ending = self._answer(self._handle())
        except EndedError as ended:
            ending = self._end(ended.reason, ended.message)
        finally:
            conversation.end_log()
        return self._unless_starved(ending)

    def _handle(self) -> Said:
        """Give the runner its event, and return what it says; raises EndedError."""
        warm = self._warm
        if self._interruption.reason is not None:
            raise EndedError(self._interruption.reason, self._interruption.message)
        if warm.alone is not None:
            said = f"[isolation container, not {warm.fit.isolation}: {warm.alone}]\n"
            self._logs.write(said.encode(), time.monotonic())
        self._began = time.monotonic()
        left = self._timeout - warm.begin_event()
        header = event_header(self._context, left, len(self._payload))
        warm.conversation.say(header + self._payload)
        message = f"it did not end within {self._timeout:g} s (imports and main together)"
        return warm.conversation.hear(Patience(self._interruption, self._began + left, message))

    def _answer(self, said: Said) -> Ending:
        """Return what the runner has said as an ending; raises EndedError."""
        if isinstance(said, Ready):
            raise disturbed("it asked for a second event")
        if isinstance(said, Failure):
            return self._end(said.reason, said.message)._replace(answered=True)
        try:
            head = head_of(said)
        except BadResponseError as error:
            return self._end(Reason.BAD_RESULT, str(error))._replace(answered=True)
        return self._end(None, None, said.body)._replace(response=head, answered=True)

    def _unless_starved(self, ending: Ending) -> Ending:
        """Return how it ended. Where a process of it was killed for want of memory, that is what
        counts, whatever the others made of it: part of the work was not done.
        """
        if self._interruption.reason is None and self._warm.container.out_of_memory():
            ended = starved()
            return ending._replace(
                reason=ended.reason,
                message=ended.message,
                output=None,
                response=None,
                answered=False,
            )
        return ending

    def _end(self, reason: str | None, message: str | None, output: bytes | None = None) -> Ending:
        init_ms = run_ms = None
        seconds = self._warm.init_seconds()
        if seconds is not None:
            init_ms = _milliseconds(seconds)
        if self._began is not None:
            run_ms = _milliseconds(time.monotonic() - self._began)
        return Ending(reason, message, output, init_ms, run_ms)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
