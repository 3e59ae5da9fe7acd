"""Records of which each has a name of its own among the living of its project."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Event, Function
from pratai_common.store.base import EventFilter, FunctionFilter, Page
from pratai_common.store.elasticsearch_access import Access, Query, Source, all_of, give_way
from pratai_common.store.elasticsearch_answers import stored
from pratai_common.store.elasticsearch_claims import Claims, Name

N = TypeVar("N", bound=Function | Event)
LetGo = Callable[[], None]
"""What is done once a record is written that has something no more."""

Move = Callable[[N | None, N], list[LetGo]]
"""Claims what a new record has and the old one, if there is one, has not."""


def _moves_nothing(_old: object, _new: object) -> list[LetGo]:
    return []


class Named(Generic[N]):
    """The records of an index, found by the field ``key``. ``columns`` are what its queries need;
    ``besides`` is called before a record is written, and after its name was claimed.
    """

    def __init__(
        self,
        access: Access,
        claims: Claims,
        kind: str,
        record: type[N],
        key: str,
        columns: Callable[[N], Source],
        besides: Move[N] = _moves_nothing,
    ) -> None:
        self._access = access
        self._claims = claims
        self._kind = kind
        self._record = record
        self._key = key
        self._columns = columns
        self._besides = besides

    def create(self, new: N, *, refresh: bool = False) -> None:
        """Add a record, which is in lists when this returns if asked for; raises NameTakenError."""
        self._moved_name(None, new)
        self._besides(None, new)
        name = self._id(new)
        if not self._access.added(self._kind, name, self._source(new), refresh=refresh):
            raise StoreUnavailableError(f"{self._key} {name} exists already")

    def get(self, ids: Sequence[str]) -> dict[str, N]:
        """Return the records that exist, by id."""
        found = self._access.read(self._kind, ids)
        return {each: stored(hit, self._record).record for each, hit in found.items()}

    def listed(
        self, project_id: str | None, which: FunctionFilter | EventFilter, page: Page
    ) -> list[N]:
        """Return the living of a project, or of all, in the page's order."""
        after = None
        if page.marker is not None:
            marked = self.get([page.marker]).get(page.marker)
            if marked is None or project_id not in (None, marked.project_id):
                return []
            after = [getattr(marked, page.sort), self._id(marked)]
        sort = [(page.sort, page.descending), (self._key, page.descending)]
        wanted = {name: value for name, value in which._asdict().items() if value is not None}
        owned = {} if project_id is None else {"project_id": project_id}
        return self._found(all_of(living=True, **owned, **wanted), sort, page.limit, after)

    def matching(self, query: Query) -> list[N]:
        """Return what a query finds, by id."""
        return self._found(query, [(self._key, False)])

    def change(self, name: str, apply: Callable[[N], N | None]) -> N | None:
        """Change a record; raises NameTakenError."""
        left: list[LetGo] = []

        def prepared(old: N) -> N | None:
            """Make the change, and the claims that it needs before it is written."""
            new = apply(old)
            left.clear()
            if new is not None:
                left.extend(self._moved_name(old, new))
                left.extend(self._besides(old, new))
            return new

        after = self._access.change(self._kind, name, self._record, prepared, self._source)
        for let_go in left:
            let_go()
        return after

    def remove(self, name: str) -> None:
        """Forget a record, which has its name no more."""
        times = 0
        while hit := self._access.read(self._kind, [name]).get(name):
            left = self._moved_name(stored(hit, self._record).record, None)
            if self._access.write([self._access.removal(hit)])[0]:
                for let_go in left:
                    let_go()
                return
            times += 1
            give_way(times)

    def _moved_name(self, old: N | None, new: N | None) -> list[LetGo]:
        """Claim the name that a change gives; returns how to let go of the one it takes."""
        had, wanted = self._name(old), self._name(new)
        if had == wanted:
            return []
        claim = None if had is None else self._claims.to_name(had)
        if wanted is not None:
            self._claims.take_name(wanted)
        return [] if claim is None else [partial(self._claims.remove, claim)]

    def _name(self, record: N | None) -> Name | None:
        if record is None or record.deleted_at is not None:
            return None
        return Name(self._kind, record.project_id, record.name, self._id(record))

    def _id(self, record: N) -> str:
        found: str = getattr(record, self._key)
        return found

    def _source(self, record: N) -> Source:
        return {
            self._key: self._id(record),
            "project_id": record.project_id,
            "living": record.deleted_at is None,
            "name": record.name,
            "created_at": record.created_at,
            "record": record,
            **self._columns(record),
        }

    def _found(
        self,
        query: Query,
        sort: list[tuple[str, bool]],
        limit: int | None = None,
        after: Sequence[object] | None = None,
    ) -> list[N]:
        found = self._access.search(self._kind, query, sort, limit, after)
        return [stored(hit, self._record).record for hit in found]
