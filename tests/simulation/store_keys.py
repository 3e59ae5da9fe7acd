"""API keys in a simulated store."""

from pratai_common.api_key import ApiKey
from tests.simulation.store_calls import Called, served


class Keys(Called):
    """See Store for what each method does."""

    @served
    def create_key(self, key: ApiKey) -> bool:
        return self.contents.keys.setdefault(key.prefix, key) is key

    @served
    def get_key(self, prefix: str) -> ApiKey | None:
        return self.contents.keys.get(prefix)

    @served
    def list_keys(self, project_id: str) -> list[ApiKey]:
        mine = (each for each in self.contents.keys.values() if each.project_id == project_id)
        return sorted(mine, key=lambda each: (each.created_at, each.prefix))

    @served
    def delete_key(self, prefix: str) -> None:
        self.contents.keys.pop(prefix, None)
