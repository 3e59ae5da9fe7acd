"""Functions and versions in a simulated store."""

import functools
from collections.abc import Callable, Sequence

from pratai_common.records import Function, Version
from pratai_common.store.base import Code, FunctionFilter, Page
from tests.simulation.store_calls import Called, served
from tests.simulation.tables import found, matches, paged, require_free_name


class Functions(Called):
    """See Store for what each method does."""

    @served
    def create_function(self, function: Function) -> None:
        require_free_name(self.contents.functions, function.function_id, function)
        self.contents.functions.rows[function.function_id] = function

    @served
    def get_functions(self, function_ids: Sequence[str]) -> dict[str, Function]:
        return found(self.contents.functions.rows, function_ids)

    @served
    def list_functions(
        self, project_id: str | None, which: FunctionFilter, page: Page
    ) -> list[Function]:
        def shown(function: Function) -> bool:
            return function.deleted_at is None and matches(function, which)

        return paged(self.contents.functions, project_id, shown, page)

    @served
    def count_code(self, project_id: str) -> Code:
        functions = self.contents.functions.rows.values()
        owned = (each for each in functions if each.project_id == project_id)
        living = {each.function_id for each in owned if each.deleted_at is None}
        versions = self.contents.versions.rows.values()
        owned_versions = (each for each in versions if each.function_id in living)
        sizes = {each.archive_sha256: each.size for each in owned_versions}
        return Code(len(living), sum(sizes.values()))

    @served
    def function_of_endpoint(self, token: str) -> Function | None:
        functions = self.contents.functions.rows.values()
        having = (each for each in functions if each.endpoint_token == token)
        return next((each for each in having if each.deleted_at is None), None)

    @served
    def change_function(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        table = self.contents.functions
        check = functools.partial(require_free_name, table, function_id)
        return table.change(function_id, apply, check)

    @served
    def create_version(self, version: Version) -> bool:
        rows = self.contents.versions.rows
        return rows.setdefault((version.function_id, version.number), version) is version

    @served
    def list_versions(self, function_id: str) -> list[Version]:
        versions = self.contents.versions.rows.values()
        mine = (each for each in versions if each.function_id == function_id)
        return sorted(mine, key=lambda each: each.number)

    @served
    def change_version(
        self, function_id: str, number: int, apply: Callable[[Version], Version | None]
    ) -> Version | None:
        return self.contents.versions.change((function_id, number), apply)
