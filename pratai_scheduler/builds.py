"""What follows from the end of a build: its version serves, or says why it does not."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pratai_common.clock import Clock
from pratai_common.messages import FunctionChanged, Message, Result
from pratai_common.outcome import settle
from pratai_common.records import Function, FunctionStatus, Request, Status, Version
from pratai_common.store.base import Store


class Builds:
    """Brings versions and functions to what builds ended with."""

    def __init__(
        self, store: Store, to_scheduler: Callable[[Message], object], clock: Clock
    ) -> None:
        self._store = store
        self._to_scheduler = to_scheduler
        self._clock = clock

    def finish_refused(self, results: Sequence[Result]) -> None:
        """Do what follows from a verdict on a build before the build is final: nobody repeats a
        verdict on what has ended.
        """
        verdicts = [result for result in results if not result.node]
        ids = [verdict.request_id for verdict in verdicts]
        found = self._store.get_requests(ids) if ids else {}
        for verdict in verdicts:
            request = found.get(verdict.request_id)
            if request is not None and request.kind == "build":
                after = settle(request, verdict, self._clock())
                if after is not None and after.status.final:
                    self.finish(after)

    def finish(self, request: Request) -> None:
        """Bring a version and its function to what the build ended with. Repeatable."""
        if request.version is None:
            return
        built = request.status is Status.SUCCESS
        error = None if built else request.message or request.reason
        status = FunctionStatus.ACTIVE if built else FunctionStatus.ERROR

        def finish_version(version: Version) -> Version:
            return replace(version, status=status, build_error=error)

        def finish_function(function: Function) -> Function | None:
            return _after(function, request, built, error, self._clock())

        # In this order: a version that is shown as active serves already.
        self._store.change_function(request.function_id, finish_function)
        self._store.change_version(request.function_id, request.version, finish_version)
        self._to_scheduler(FunctionChanged(function_id=request.function_id))


def _after(
    function: Function, request: Request, built: bool, error: str | None, now: int
) -> Function | None:
    """Return the function as a finished build leaves it; what was built is not replaced by what
    is older, nor by what failed.
    """
    number = request.version or 0
    if number <= function.newest_built:
        return None
    if built:
        return replace(
            function,
            version=number,
            newest_built=number,
            status=FunctionStatus.ACTIVE,
            build_error=None,
            updated_at=now,
        )
    status = function.status if function.version is not None else FunctionStatus.ERROR
    return replace(function, status=status, build_error=error, updated_at=now)
