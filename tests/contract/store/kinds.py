"""The stores that the suite runs with. An entry of ``KINDS`` is all that it knows of one.

Every case runs for every entry, on the real server: one that does not answer fails its cases. Only
what outlives a process is asked of those of ``DURABLE`` alone.
"""

import uuid
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import requests

from pratai_common import conf as configuration
from pratai_common.errors import StoreUnavailableError
from pratai_common.store.base import Store, open_store
from tests.forwarder import Forwarder
from tests.simulation.store import MemoryStore
from tests.simulation.tables import Contents


class Kind(ABC):
    """One store of an implementation, empty at first, and of nobody else.

    It is pickled to reach other processes, which open the same store. ``folder`` is its own.
    """

    server: ClassVar[str | None] = None
    """The fixture that gives the address of the server, where there is one."""

    durable: ClassVar[bool] = True
    """Whether processes share it, and it outlives them."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address

    @classmethod
    def made(cls, folder: Path, address: str) -> Self:
        """Return one whose schema was made."""
        kind = cls(folder, address)
        with closing(kind.open()) as store:
            store.create_schema()
        return kind

    @abstractmethod
    def open(self) -> Store:
        """Open the store, as one more daemon does."""

    @abstractmethod
    def away(self) -> None:
        """Take the store from everyone, those who have it open included."""

    @abstractmethod
    def back(self) -> None:
        """Give it back, with what was in it."""

    @abstractmethod
    def catch_up(self) -> None:
        """Let lists that may miss the last second miss nothing of what was written until now."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what the store keeps outside ``folder``."""


class Configured(Kind):
    """One that configuration names."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder, address)
        options = ["[DEFAULT]", f"state_path = {folder / 'state'}", "[store]", *self.options()]
        (folder / "pratai.conf").write_text("\n".join([*options, ""]))

    def open(self) -> Store:
        arguments = ["--config-file", str(self.folder / "pratai.conf")]
        return open_store(configuration.load("test", arguments))

    @abstractmethod
    def options(self) -> list[str]:
        """Return the lines of section ``[store]``."""


class SQLite(Configured):
    """A file in a folder, which goes away by another name."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder, address)
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

    def catch_up(self) -> None:
        """Lists show what was committed."""

    def remove(self) -> None:
        """Everything is in ``folder``."""


class Elasticsearch(Configured):
    """Indices with a prefix of their own, on a server that all share and that each reaches by a
    way of its own.

    To make indices takes most of a second, to empty them a tenth: so they are used again.
    """

    server = "elasticsearch"
    _clean: ClassVar[list[str]] = []

    def __init__(self, folder: Path, address: str, prefix: str | None = None) -> None:
        self.prefix = prefix or f"t{uuid.uuid4().hex[:12]}"
        self._way = Forwarder(urlsplit(address).port or 0)
        self._to_be_kept = prefix is not None
        super().__init__(folder, address)

    @classmethod
    def made(cls, folder: Path, address: str) -> Self:
        """Return one whose schema was made, for this or for a former case."""
        kind = (
            cls(folder, address, cls._clean.pop()) if cls._clean else super().made(folder, address)
        )
        kind._to_be_kept = True
        return kind

    def __getstate__(self) -> dict[str, Any]:
        """Leave the way to the server to this process: others find it in the configuration."""
        return {name: value for name, value in self.__dict__.items() if name != "_way"}

    def options(self) -> list[str]:
        return [
            "driver = elasticsearch",
            f"hosts = http://127.0.0.1:{self._way.port}",
            f"index_prefix = {self.prefix}",
        ]

    def away(self) -> None:
        self._way.close()

    def back(self) -> None:
        self._way.open()

    def catch_up(self) -> None:
        self.call("POST", f"{self.prefix}-*/_refresh")

    def remove(self) -> None:
        self._way.close()
        if self._to_be_kept:
            self.catch_up()
            everything = {"query": {"match_all": {}}}
            self.call("POST", f"{self.prefix}-*/_delete_by_query?refresh=true", everything)
            self._clean.append(self.prefix)
        else:
            found = self.call("GET", f"{self.prefix}-*")
            if found:
                self.call("DELETE", ",".join(found))
            self.call("DELETE", f"_index_template/{self.prefix}-*")

    def call(self, method: str, path: str, body: object = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, f"{self.address}/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()


class Memory(Kind):
    """What simulations run on: in this process, and nowhere else. Its lists lag, as those of a
    cluster do, but as long as they can.
    """

    durable = False

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder, address)
        self._contents = Contents(lists_lag=True)
        self._is_away = False

    def open(self) -> Store:
        return MemoryStore(self._contents, before=self._asked)

    def away(self) -> None:
        self._is_away = True

    def back(self) -> None:
        self._is_away = False

    def catch_up(self) -> None:
        self._contents.refresh()

    def remove(self) -> None:
        """It goes with the process."""

    def _asked(self, method: str) -> None:
        if self._is_away:
            raise StoreUnavailableError(f"away when asked for {method}")


KINDS: dict[str, type[Kind]] = {
    "sqlite": SQLite,
    "elasticsearch": Elasticsearch,
    "memory": Memory,
}
DURABLE = [name for name, kind in KINDS.items() if kind.durable]
