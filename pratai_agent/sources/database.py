"""Events that are changes of rows in a PostgreSQL database, by logical replication.

A slot, which the database keeps, knows how far the agent came. It goes on after the requests are
recorded, so what happens while the agent or its store is away arrives later; until then the
database keeps its log. What happened before the slot was made does not arrive.
"""

import logging
from collections.abc import Sequence

from oslo_config import cfg

from pratai_agent.sources import wal2json
from pratai_agent.sources.base import Door, Happened, Source, SourceError
from pratai_agent.sources.replication import Replication
from pratai_common import limits
from pratai_common.clock import iso, now_ms
from pratai_common.decoding import convert
from pratai_common.event_settings import DatabaseSettings
from pratai_common.records import Event

LOG = logging.getLogger(__name__)
_MESSAGES = 1000
_BYTES = 4 * limits.MIB
"""Of a batch: messages at most, and bytes beyond which none is added."""
_NEW_MS = 60_000
"""So long after an event was made, or changed, that it has no slot is nothing to worry about."""
_NAMED = 5
"""Tables that a note names."""

# Of the tables that are named, or of all without a key where none is, the first thousand: the name,
# whether its log has rows, and whether it has no key.
_TABLES = """
SELECT name, logged, keyless FROM (
    SELECT n.nspname || '.' || c.relname AS name,
           c.relkind = 'r' AND c.relpersistence = 'p' AS logged,
           c.relreplident <> 'f' AND NOT EXISTS (
               SELECT FROM pg_index i
               WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND
               CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
           ) AS keyless,
           n.nspname IN ('pg_catalog', 'information_schema') AS own
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
) t WHERE name = ANY (%s) OR %s AND logged AND keyless AND NOT own
ORDER BY 1 LIMIT 1000
"""
# A slot that another agent is making has no status yet.
_LOST = (
    "SELECT wal_status IS NOT DISTINCT FROM 'lost' FROM pg_replication_slots WHERE slot_name = %s"
)


def slot_name(event_id: str) -> str:
    """Return the name of an event's replication slot."""
    return f"pratai_{event_id.replace('-', '')}"


class DatabaseSource(Source):
    """See the module."""

    def __init__(self, conf: cfg.ConfigOpts, event: Event, secret: str | None, door: Door) -> None:
        super().__init__(conf, event, secret, door)
        self._settings = convert(event.settings, DatabaseSettings)
        self._slot = slot_name(event.event_id)

    def serve(self) -> None:
        """See Source."""
        self.door.state("connecting")
        with self._connected() as link:
            notes = [self._check_tables(link), self._check_slot(link)]
            decoder = wal2json.Decoder(link.system(), link.codec())
            link.start(
                self._slot, wal2json.options(self._settings.tables, self._settings.operations)
            )
            self.door.state("running", "; ".join(filter(None, notes)) or None)
            while not self.door.stopping:
                self._pass_on(link, decoder)

    def clean(self) -> None:
        """See Source."""
        with self._connected() as link:
            link.drop_slot(self._slot)

    def _connected(self) -> Replication:
        return Replication(self.conf, self._settings, self.secret, self.door)

    def _check_tables(self, link: Replication) -> str | None:
        """Return what an owner should know of the tables; raises SourceError where one that is
        named is none whose rows can be followed.
        """
        names = self._settings.tables
        found = link.query(_TABLES, list(names), not names)
        followed = {name for name, logged, _ in found if logged}
        missing = [name for name in names if name not in followed]
        if missing:
            raise SourceError(
                f"there is no table {_listed(missing)} in the database {self._settings.database}, "
                "or none whose rows are logged: a name is schema.table, of no view, no partitioned "
                "and no unlogged table"
            )
        keyless = [name for name, _, has_no_key in found if has_no_key]
        if not keyless or set(self._settings.operations) == {"insert"}:
            return None
        return (
            f"{_listed(keyless)} without a key: updates and deletes there are not delivered; "
            "a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, changes that"
        )

    def _check_slot(self, link: Replication) -> str | None:
        """Make the slot where it is not there, or of no use any more; returns what an owner should
        know of that. Raises SourceError where changes are missing: all is well the next time.
        """
        found = link.query(_LOST, self._slot)
        if found == [(False,)]:
            return None
        if found:
            link.drop_slot(self._slot)
        self.door.state("connecting", "the slot is made once all open transactions have ended")
        link.create_slot(self._slot)
        now = now_ms()
        made = f"made at {iso(now)}; changes from before that do not arrive"
        if found or now - self.event.updated_at > _NEW_MS:
            what = "had lost its log" if found else "was not there"
            raise SourceError(f"the replication slot {self._slot} {what}, and was {made}")
        LOG.info("event %s: made the replication slot %s", self.event.event_id, self._slot)
        return f"its replication slot was {made}"

    def _pass_on(self, link: Replication, decoder: wal2json.Decoder) -> None:
        """Hand over what is at hand, and let the slot go on; or wait for something.

        A transaction is told when the end of it is read in the log, so whatever ended before a
        position that is told of was told before: the slot may go on to the latest of a batch, in
        the middle of a transaction too. That one is then told again as a whole.
        """
        happened: list[Happened] = []
        position = size = 0
        for _ in range(_MESSAGES):
            message = link.read() if size < _BYTES else None
            if message is None:
                break
            position = max(position, message.data_start)
            size += message.data_size
            happened += self._row(decoder, message.payload)
        if happened:
            self.door.take(happened)
        if position:
            link.confirm(position)
        else:
            link.wait()

    def _row(self, decoder: wal2json.Decoder, message: bytes) -> list[Happened]:
        """Return what a message tells of, if anything; counts what cannot be taken."""
        try:
            happened = decoder.decode(message)
        except wal2json.MalformedError as error:
            self.door.dead(str(error))
            return []
        if happened is None:
            return []
        if len(happened.payload) > limits.MAX_BODY_BYTES:
            self.door.dead(
                f"a row of {happened.attributes['subject']} is larger than "
                f"{limits.MAX_BODY_BYTES} bytes ({happened.id})"
            )
            return []
        return [happened]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
