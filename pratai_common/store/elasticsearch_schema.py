"""Makes templates and indices, and brings them up to date: ``pratai-db-init``.

An alias stands before each index, and everything goes through it. A field that an index lacks is
added where it is; where fields have changed otherwise, another index takes its place
(``elasticsearch_upgrade``).
"""

from typing import Any, NamedTuple

from pratai_common.errors import StoreUnavailableError
from pratai_common.store.elasticsearch_client import Client, RefusedError
from pratai_common.store.elasticsearch_indices import Layout
from pratai_common.store.elasticsearch_upgrade import Upgrade

_THERE = "resource_already_exists_exception"


class _Present(NamedTuple):
    """An index behind its alias, and of which release it is."""

    name: str
    version: int
    digest: str


class Schema:
    """See the module."""

    def __init__(self, client: Client, layout: Layout, upgrade: Upgrade) -> None:
        self._client = client
        self._layout = layout
        self._upgrade = upgrade

    def create(self) -> None:
        """Make what is not there and upgrade what is; repeating it changes nothing.

        Raises StoreUnavailableError where the indices are of a later release, and changes nothing.
        """
        present = self._present()
        self._require_no_later(present)
        self._put_templates()
        for kind in self._layout.kinds:
            if kind not in present:
                self._make(kind)
        for kind, index in present.items():
            if index.version < self._layout.kinds[kind].version:
                self._upgrade.run(kind)
            else:
                self._bring_up_to_date(kind, index)

    def gaps(self) -> list[str]:
        """Return what ``create`` would change, in words; raises what that does."""
        present = self._present()
        self._require_no_later(present)
        gaps = [f"template {name} is missing, or of another release" for name in self._templates()]
        for kind, wanted in self._layout.kinds.items():
            index = present.get(kind)
            if index is None:
                gaps.append(f"there is no index {self._layout.alias(kind)}")
            elif index.version < wanted.version:
                gaps.append(f"index {index.name} is of a former release, and will be copied")
            elif index.digest != self._layout.mappings(kind)["_meta"]["digest"]:
                gaps.append(f"index {index.name} lacks fields, or has other settings")
        return gaps

    def _require_no_later(self, present: dict[str, _Present]) -> None:
        for kind, index in present.items():
            if index.version > self._layout.kinds[kind].version:
                raise StoreUnavailableError(f"index {index.name} is of a later release")

    def _put_templates(self) -> None:
        for name, template in self._templates().items():
            self._client.ask("PUT", f"/_index_template/{name}", template)

    def _templates(self) -> dict[str, dict[str, Any]]:
        """Return the templates that are not there as they are to be, by name."""
        shown = "filter_path=index_templates.name,index_templates.index_template._meta"
        answer = self._client.ask("GET", f"/_index_template?{shown}")
        found = {each["name"]: each for each in answer.get("index_templates", [])}
        wanted: dict[str, dict[str, Any]] = {}
        for kind in self._layout.kinds:
            name, template = self._layout.alias(kind), self._layout.template(kind)
            there = found.get(name, {}).get("index_template", {})
            if there.get("_meta") != template["_meta"]:
                wanted[name] = template
        return wanted

    def _present(self) -> dict[str, _Present]:
        """Return the index behind each kind's alias, where there is one."""
        found = self._client.ask("GET", f"/{self._layout.prefix}-*?expand_wildcards=open")
        kinds = {self._layout.alias(kind): kind for kind in self._layout.kinds}
        return {
            kinds[alias]: _Present(name, meta.get("version", 0), meta.get("digest", ""))
            for name, index in found.items()
            for alias in index["aliases"]
            if alias in kinds
            for meta in [index["mappings"].get("_meta", {})]
        }

    def _make(self, kind: str) -> None:
        aliases: dict[str, Any] = {self._layout.alias(kind): {}}
        try:
            self._client.ask("PUT", f"/{self._layout.index_of(kind)}", {"aliases": aliases})
        except RefusedError as error:
            if error.type != _THERE:  # made by another at the same time, with its alias
                raise

    def _bring_up_to_date(self, kind: str, index: _Present) -> None:
        mappings = self._layout.mappings(kind)
        if index.digest != mappings["_meta"]["digest"]:
            settings = {"index": self._layout.live_settings()}
            self._client.ask("PUT", f"/{index.name}/_settings", settings)
            self._client.ask("PUT", f"/{index.name}/_mapping", mappings)
