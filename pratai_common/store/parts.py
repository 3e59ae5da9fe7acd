"""What of a store is an object of its own in each: API keys, and what daemons agree by."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from pratai_common.api_key import ApiKey
from pratai_common.records import Daemon


class Lease(NamedTuple):
    """The right to act alone until it ends; ``epoch`` grows with each new holder."""

    holder: str
    epoch: int


class KeyRecords(ABC):
    """API keys by their prefixes, and of each project."""

    @abstractmethod
    def create_key(self, key: ApiKey) -> bool:
        """Add an API key, which is in lists when this returns; ``False`` where its prefix is
        taken.
        """

    @abstractmethod
    def get_key(self, prefix: str) -> ApiKey | None:
        """Return the API key that begins so, if it exists, as last written by anyone."""

    @abstractmethod
    def list_keys(self, project_id: str) -> list[ApiKey]:
        """Return a project's API keys, oldest first, as last written by anyone."""

    @abstractmethod
    def delete_key(self, prefix: str) -> None:
        """Forget an API key; one that is not there is no error."""


class Coordination(ABC):
    """How far something came, which daemons live, and which of them acts alone."""

    @abstractmethod
    def put_mark(self, name: str, value: int) -> None:
        """Note how far something came; a lower number than is noted changes nothing."""

    @abstractmethod
    def get_mark(self, name: str) -> int | None:
        """Return how far something came, as last written by anyone."""

    @abstractmethod
    def put_daemon(self, daemon: Daemon) -> None:
        """Write a daemon's entry, replacing the former one of this type and id. One that was not
        there is in lists when this returns: others send to a new daemon at once.
        """

    @abstractmethod
    def list_daemons(self) -> list[Daemon]:
        """Return the daemons' entries, by type and id."""

    @abstractmethod
    def remove_daemon(self, daemon_type: str, daemon_id: str) -> None:
        """Forget a daemon that has ended on purpose; one that is not there is no error."""

    @abstractmethod
    def acquire_lease(self, name: str, holder: str, now: int, duration_ms: int) -> Lease | None:
        """Take or renew a lease; ``None`` while another holder's has not ended.

        It ends at ``now + duration_ms``. Renewing keeps the epoch, also of one that has ended and
        that nobody took since.
        """

    @abstractmethod
    def release_lease(self, name: str, holder: str) -> None:
        """End a lease that this holder has; another's goes on."""


class Delegating(KeyRecords, Coordination):
    """A store that has these parts in ``_keys`` and ``_cluster``."""

    _keys: KeyRecords
    _cluster: Coordination

    def create_key(self, key: ApiKey) -> bool:
        """See Store."""
        return self._keys.create_key(key)

    def get_key(self, prefix: str) -> ApiKey | None:
        """See Store."""
        return self._keys.get_key(prefix)

    def list_keys(self, project_id: str) -> list[ApiKey]:
        """See Store."""
        return self._keys.list_keys(project_id)

    def delete_key(self, prefix: str) -> None:
        """See Store."""
        self._keys.delete_key(prefix)

    def put_mark(self, name: str, value: int) -> None:
        """See Store."""
        self._cluster.put_mark(name, value)

    def get_mark(self, name: str) -> int | None:
        """See Store."""
        return self._cluster.get_mark(name)

    def put_daemon(self, daemon: Daemon) -> None:
        """See Store."""
        self._cluster.put_daemon(daemon)

    def list_daemons(self) -> list[Daemon]:
        """See Store."""
        return self._cluster.list_daemons()

    def remove_daemon(self, daemon_type: str, daemon_id: str) -> None:
        """See Store."""
        self._cluster.remove_daemon(daemon_type, daemon_id)

    def acquire_lease(self, name: str, holder: str, now: int, duration_ms: int) -> Lease | None:
        """See Store."""
        return self._cluster.acquire_lease(name, holder, now, duration_ms)

    def release_lease(self, name: str, holder: str) -> None:
        """See Store."""
        self._cluster.release_lease(name, holder)
