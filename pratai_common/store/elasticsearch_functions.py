"""Functions, their endpoints and versions: written rarely, read as they are.

What is listed as last written (versions) is written with a refresh: it is in every search when its
write returns.
"""

from collections.abc import Callable, Sequence
from functools import partial

from pratai_common.clock import Clock
from pratai_common.records import Function, Version
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.base import Code, FunctionFilter, Page
from pratai_common.store.elasticsearch_access import PAGE, Access, Source, all_of
from pratai_common.store.elasticsearch_answers import stored
from pratai_common.store.elasticsearch_claims import Claims
from pratai_common.store.elasticsearch_named import LetGo, Named


class Functions:
    """See the module, and Store for what each method does."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._claims = Claims(access, clock)
        self._named = Named(
            access,
            self._claims,
            indices.FUNCTIONS,
            Function,
            "function_id",
            _columns,
            self._moved_endpoint,
        )

    def create(self, function: Function) -> None:
        """See Store.create_function."""
        self._named.create(function)

    def get(self, function_ids: Sequence[str]) -> dict[str, Function]:
        """See Store.get_functions."""
        return self._named.get(function_ids)

    def listed(self, project_id: str | None, which: FunctionFilter, page: Page) -> list[Function]:
        """See Store.list_functions."""
        return self._named.listed(project_id, which, page)

    def count_code(self, project_id: str) -> Code:
        """See Store.count_code."""
        self._access.refresh(indices.FUNCTIONS)
        living = self._named.matching(all_of(project_id=project_id, living=True))
        ids = [each.function_id for each in living]
        sizes: dict[str, int] = {}
        for start in range(0, len(ids), PAGE):
            query = all_of({"terms": {"function_id": ids[start : start + PAGE]}})
            sort = [("function_id", False), ("number", False)]
            found = self._access.search(indices.VERSIONS, query, sort)
            versions = [stored(hit, Version).record for hit in found]
            sizes.update({each.archive_sha256: each.size for each in versions})
        return Code(len(ids), sum(sizes.values()))

    def of_endpoint(self, token: str) -> Function | None:
        """See Store.function_of_endpoint."""
        owner = self._claims.owner_of_endpoint(token)
        function = None if owner is None else self.get([owner]).get(owner)
        if function is None or function.endpoint_token != token:
            return None
        return function if function.deleted_at is None else None

    def change(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        """See Store.change_function."""
        return self._named.change(function_id, apply)

    def _moved_endpoint(self, old: Function | None, new: Function) -> list[LetGo]:
        """Make the endpoint that a function gets; returns how to let go of its former one."""
        former = None if old is None else old.endpoint_token
        if former == new.endpoint_token:
            return []
        if new.endpoint_token is not None:
            self._claims.put_endpoint(new.endpoint_token, new.function_id)
        return [] if former is None else [partial(self._claims.remove_endpoint, former)]

    # Versions

    def create_version(self, version: Version) -> bool:
        """See Store.create_version."""
        name = _version_id(version.function_id, version.number)
        return self._access.added(indices.VERSIONS, name, _version_source(version), refresh=True)

    def versions(self, function_id: str) -> list[Version]:
        """See Store.list_versions."""
        query = all_of(function_id=function_id)
        found = self._access.search(indices.VERSIONS, query, [("number", False)])
        return [stored(hit, Version).record for hit in found]

    def change_version(
        self, function_id: str, number: int, apply: Callable[[Version], Version | None]
    ) -> Version | None:
        """See Store.change_version."""
        name = _version_id(function_id, number)
        return self._access.change(
            indices.VERSIONS, name, Version, apply, _version_source, refresh=True
        )


def _version_id(function_id: str, number: int) -> str:
    return f"{function_id}:{number}"


def _columns(function: Function) -> Source:
    return {
        "status": function.status,
        "type": function.type,
        "event": function.event,
        "runtime": function.runtime,
    }


def _version_source(version: Version) -> Source:
    return {"function_id": version.function_id, "number": version.number, "record": version}
