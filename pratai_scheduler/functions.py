"""What the scheduler remembers of functions, so that a dispatch need not read the store."""

from pratai_common.records import Function, Version
from pratai_common.store.base import Store

_REMEMBER_MS = 1000


class Functions:
    """Functions for up to a second (``FunctionChanged`` is a hint and may be lost); versions
    for as long as their function is asked for: what a dispatch needs of one never changes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._functions: dict[str, tuple[int, Function | None]] = {}
        self._versions: dict[str, dict[int, Version]] = {}

    def get(self, function_id: str, now: int) -> Function | None:
        """Return a function as it was at most a second ago, ``None`` if it never existed."""
        read_at, function = self._functions.get(function_id, (0, None))
        if now - read_at > _REMEMBER_MS:
            function = self._store.get_functions([function_id]).get(function_id)
            self._functions[function_id] = (now, function)
        return function

    def version(self, function_id: str, number: int) -> Version:
        """Return a version; raises LookupError if there is none of that number."""
        known = self._versions.setdefault(function_id, {})
        if number not in known:
            known.update({each.number: each for each in self._store.list_versions(function_id)})
        return known[number]

    def forget(self, function_id: str) -> None:
        """Read a function anew when it is next needed."""
        self._functions.pop(function_id, None)

    def forget_old(self, now: int) -> None:
        """Let go of what nobody asked for lately."""
        for function_id, (read_at, _) in list(self._functions.items()):
            if now - read_at > _REMEMBER_MS:
                del self._functions[function_id]
                self._versions.pop(function_id, None)
