"""API keys: read by their prefix at each call that has one; written with a refresh, so that each
is in every list when its write returns.
"""

from pratai_common.api_key import ApiKey
from pratai_common.store import elasticsearch_indices as indices
from pratai_common.store.elasticsearch_access import Access, Source, all_of
from pratai_common.store.elasticsearch_answers import stored
from pratai_common.store.parts import KeyRecords


class Keys(KeyRecords):
    """See the module, and Store for what each method does."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def create_key(self, key: ApiKey) -> bool:
        """See Store.create_key."""
        return self._access.added(indices.KEYS, key.prefix, _source(key), refresh=True)

    def get_key(self, prefix: str) -> ApiKey | None:
        """See Store.get_key."""
        hit = self._access.read(indices.KEYS, [prefix]).get(prefix)
        return None if hit is None else stored(hit, ApiKey).record

    def list_keys(self, project_id: str) -> list[ApiKey]:
        """See Store.list_keys."""
        sort = [("created_at", False), ("prefix", False)]
        found = self._access.search(indices.KEYS, all_of(project_id=project_id), sort)
        return [stored(hit, ApiKey).record for hit in found]

    def delete_key(self, prefix: str) -> None:
        """See Store.delete_key."""
        write = self._access.delete(indices.KEYS, prefix)
        self._access.write([write], refresh=True, repeatable=True)


def _source(key: ApiKey) -> Source:
    return {
        "prefix": key.prefix,
        "project_id": key.project_id,
        "created_at": key.created_at,
        "record": key,
    }
