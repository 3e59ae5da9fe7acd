"""What the scheduler remembers of functions, so that a dispatch need not read the store."""

from collections.abc import Collection

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
        if not self._fresh(function_id, now):
            self._read([function_id], now)
        return self._functions[function_id][1]

    def learn(self, function_ids: Collection[str], now: int) -> None:
        """Read those that were not read in the last second, in one go."""
        self._read([each for each in function_ids if not self._fresh(each, now)], now)

    def known(self, function_id: str) -> Function | None:
        """Return a function as it was read last, ``None`` if it was not, or never existed."""
        known = self._functions.get(function_id)
        return None if known is None else known[1]

    def memory_of(self, function_id: str) -> int:
        """Return what a run takes, MB: 0 where nothing is known of its function."""
        function = self.known(function_id)
        return 0 if function is None else function.memory

    def owner_of(self, function_id: str) -> str:
        """Return whose runs a function's are, empty where nothing is known of it."""
        function = self.known(function_id)
        return "" if function is None else function.project_id

    def version(self, function_id: str, number: int) -> Version | None:
        """Return a version, ``None`` where the store tells of none of that number."""
        known = self._versions.setdefault(function_id, {})
        if number not in known:
            known.update({each.number: each for each in self._store.list_versions(function_id)})
        return known.get(number)

    def forget(self, function_id: str) -> None:
        """Read a function anew when it is next needed."""
        self._functions.pop(function_id, None)

    def refresh(self, needed: Collection[str], now: int) -> None:
        """Read what is needed in one go; let go of what nobody asked for lately."""
        for function_id in [each for each in self._functions if not self._fresh(each, now)]:
            del self._functions[function_id]
        self._read(needed, now)
        for function_id in self._versions.keys() - self._functions.keys():
            del self._versions[function_id]

    def _fresh(self, function_id: str, now: int) -> bool:
        known = self._functions.get(function_id)
        return known is not None and 0 <= now - known[0] <= _REMEMBER_MS

    def _read(self, function_ids: Collection[str], now: int) -> None:
        found = self._store.get_functions(list(function_ids)) if function_ids else {}
        self._functions.update({each: (now, found.get(each)) for each in function_ids})
