"""Signs of life, leases and marks in a simulated store."""

from pratai_common.records import Daemon
from pratai_common.store.parts import Lease
from tests.simulation.store_calls import Called, served
from tests.simulation.tables import Held


class Cluster(Called):
    """See Store for what each method does."""

    @served
    def put_mark(self, name: str, value: int) -> None:
        marks = self.contents.marks
        marks[name] = max(marks.get(name, value), value)

    @served
    def get_mark(self, name: str) -> int | None:
        return self.contents.marks.get(name)

    @served
    def put_daemon(self, daemon: Daemon) -> None:
        table, key = self.contents.daemons, (daemon.daemon_type, daemon.daemon_id)
        is_new = key not in table.rows
        table.rows[key] = daemon
        if is_new:
            table.refresh()

    @served
    def list_daemons(self) -> list[Daemon]:
        return [daemon for _, daemon in sorted(self.contents.daemons.listed.items())]

    @served
    def remove_daemon(self, daemon_type: str, daemon_id: str) -> None:
        self.contents.daemons.rows.pop((daemon_type, daemon_id), None)

    @served
    def acquire_lease(self, name: str, holder: str, now: int, duration_ms: int) -> Lease | None:
        held = self.contents.leases.get(name, Held("", 0, 0))
        if held.holder not in {"", holder} and held.ends_at > now:
            return None
        epoch = held.epoch + (held.holder != holder)
        self.contents.leases[name] = Held(holder, epoch, now + duration_ms)
        return Lease(holder, epoch)

    @served
    def release_lease(self, name: str, holder: str) -> None:
        held = self.contents.leases.get(name)
        if held is not None and held.holder == holder:
            self.contents.leases[name] = Held("", held.epoch, 0)
