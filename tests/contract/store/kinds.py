"""The stores that the suite runs with. An entry of ``KINDS`` is all that it knows of one.

Every case runs for every entry, on the real server: one that does not answer fails its cases.
"""

from abc import ABC, abstractmethod
from pathlib import Path

from pratai_common import conf as configuration
from pratai_common.store.base import Store, open_store


class Kind(ABC):
    """One store of an implementation, empty at first, and of nobody else.

    It is pickled to reach other processes, which open the same store. ``folder`` is its own.
    """

    lists_lag = False
    """Whether lists that may miss the last second do so: then the suite waits for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        options = ["[DEFAULT]", f"state_path = {folder / 'state'}", "[store]", *self.options()]
        (folder / "pratai.conf").write_text("\n".join([*options, ""]))

    def open(self) -> Store:
        """Open the store as the daemons do."""
        arguments = ["--config-file", str(self.folder / "pratai.conf")]
        return open_store(configuration.load("test", arguments))

    @abstractmethod
    def options(self) -> list[str]:
        """Return the lines of section ``[store]``."""

    @abstractmethod
    def away(self) -> None:
        """Take the store from everyone, those who have it open included."""

    @abstractmethod
    def back(self) -> None:
        """Give it back, with what was in it."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what the store keeps outside ``folder``."""


class SQLite(Kind):
    """A file in a folder, which goes away by another name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._state.mkdir()

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    def options(self) -> list[str]:
        return ["driver = sqlite"]

    def away(self) -> None:
        self._state.rename(self.folder / "away")

    def back(self) -> None:
        (self.folder / "away").rename(self._state)

    def remove(self) -> None:
        """Everything is in ``folder``."""


KINDS: dict[str, type[Kind]] = {"sqlite": SQLite}
