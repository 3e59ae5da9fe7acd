"""Who is there, who may act alone, and how far something came."""

from pratai_common.records import Daemon, Record
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.elasticsearch_access import Access, Source, give_way
from pratai_common.store.elasticsearch_answers import Hit, new_stamp, stored
from pratai_common.store.parts import Coordination, Lease

_CREATED = 201


class _Held(Record, frozen=True, kw_only=True):
    """A lease as it is stored; nobody holds it where ``holder`` is empty."""

    holder: str
    epoch: int
    ends_at: int


class _Mark(Record, frozen=True, kw_only=True):
    """How far something came."""

    value: int


class Cluster(Coordination):
    """See the module, and Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def put_daemon(self, daemon: Daemon) -> None:
        """See Store.put_daemon."""
        source = {
            "daemon_type": daemon.daemon_type,
            "daemon_id": daemon.daemon_id,
            "record": daemon,
        }
        name = _daemon(daemon.daemon_type, daemon.daemon_id)
        write = self._access.put(indices.CLUSTER, name, source)
        [done] = self._access.bulk([write], repeatable=True)
        if failure := done.failure():
            raise failure
        if done.status == _CREATED:  # once more, so that others know of it when this returns
            self._access.write([write], refresh=True, repeatable=True)

    def list_daemons(self) -> list[Daemon]:
        """See Store.list_daemons."""
        sort = [("daemon_type", False), ("daemon_id", False)]
        found = self._access.search(indices.CLUSTER, {"exists": {"field": "daemon_type"}}, sort)
        return [stored(hit, Daemon).record for hit in found]

    def remove_daemon(self, daemon_type: str, daemon_id: str) -> None:
        """See Store.remove_daemon."""
        write = self._access.delete(indices.CLUSTER, _daemon(daemon_type, daemon_id))
        self._access.write([write], repeatable=True)

    def acquire_lease(self, name: str, holder: str, now: int, duration_ms: int) -> Lease | None:
        """See Store.acquire_lease."""
        while True:
            hit, held = self._lease(name)
            same = held.holder == holder
            if held.holder and not same and held.ends_at > now:
                return None
            epoch = held.epoch + (0 if same else 1)
            wanted = _Held(holder=holder, epoch=epoch, ends_at=now + duration_ms)
            if self._write(_lease_id(name), hit, wanted):
                return Lease(holder, epoch)

    def release_lease(self, name: str, holder: str) -> None:
        """See Store.release_lease."""
        while True:
            hit, held = self._lease(name)
            free = _Held(holder="", epoch=held.epoch, ends_at=0)
            if hit is None or held.holder != holder:
                return
            if self._write(_lease_id(name), hit, free):
                return

    def held(self, name: str, now: int) -> bool:
        """Say whether anybody holds a lease."""
        held = self._lease(name)[1]
        return bool(held.holder) and held.ends_at > now

    def put_mark(self, name: str, value: int) -> None:
        """See Store.put_mark."""
        times = 0
        while (found := self._mark(name)) is None or found[1] < value:
            hit = None if found is None else found[0]
            if self._write(_mark_id(name), hit, _Mark(value=value)):
                return
            times += 1
            give_way(times)

    def get_mark(self, name: str) -> int | None:
        """See Store.get_mark."""
        found = self._mark(name)
        return None if found is None else found[1]

    def _mark(self, name: str) -> tuple[Hit, int] | None:
        key = _mark_id(name)
        hit = self._access.read(indices.CLUSTER, [key]).get(key)
        return None if hit is None else (hit, stored(hit, _Mark).record.value)

    def _lease(self, name: str) -> tuple[Hit | None, _Held]:
        key = _lease_id(name)
        hit = self._access.read(indices.CLUSTER, [key]).get(key)
        never = _Held(holder="", epoch=0, ends_at=0)
        return hit, never if hit is None else stored(hit, _Held).record

    def _write(self, key: str, hit: Hit | None, record: _Held | _Mark) -> bool:
        """Write a lease or mark over what was found; ``False`` where somebody else was faster.

        Where that was this very write, which the cluster did not know again, what it says is found.
        """
        source: Source = {"record": record, "stamp": new_stamp()}
        if hit is None:
            write = self._access.create(indices.CLUSTER, key, source)
        else:
            write = self._access.over(hit, source)
        return self._access.write([write])[0]


def _daemon(daemon_type: str, daemon_id: str) -> str:
    return f"daemon:{daemon_type}:{daemon_id}"


def _lease_id(name: str) -> str:
    return f"lease:{name}"


def _mark_id(name: str) -> str:
    return f"mark:{name}"
