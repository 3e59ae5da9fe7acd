"""How a simulated store is called: its hooks may end each call, and it may be closed."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from pratai_common.errors import StoreUnavailableError
from tests.simulation.tables import Contents

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound="Called")
Hook = Callable[[str], None]
_BEFORE = ("create_schema", "schema_gaps")
"""What can be asked before there is a schema."""


def nothing(_method: str) -> None:
    """Let a call go on."""


class Called:
    """One daemon's way to ``contents``, which others may share.

    The hooks get a method's name. What they raise, the call raises: from ``before`` nothing was
    done, from ``after`` everything. ``within`` is asked before each record of a batch but the
    first is written: from it, a part was done.
    """

    def __init__(
        self,
        contents: Contents | None = None,
        before: Hook = nothing,
        within: Hook = nothing,
        after: Hook = nothing,
    ) -> None:
        self.contents = contents or Contents()
        self.before = before
        self.within = within
        self.after = after
        self.closed = False


def served(
    method: Callable[Concatenate[C, P], T],
) -> Callable[Concatenate[C, P], T]:
    """Make a method a call, which the hooks may end before and after its work."""
    name = method.__name__

    @functools.wraps(method)
    def call(self: C, /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.before(name)
        with self.contents.lock:
            if self.closed or not (self.contents.made or name in _BEFORE):
                raise StoreUnavailableError("closed" if self.closed else "there is no schema")
            result = method(self, *args, **kwargs)
        self.after(name)
        return result

    return call
