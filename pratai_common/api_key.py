"""What the store keeps of an API key."""

from pratai_common.records import Record


class ApiKey(Record, frozen=True, kw_only=True):
    """What lets somebody outside of OpenStack call a project's functions, or the one of
    ``function_id``, and see what became of these calls.

    ``prefix``, with which the key begins, names it and is no secret. Of the rest there is a SHA-256
    alone, which is of 256 random bits and so needs no salt.
    """

    prefix: str
    project_id: str
    user_id: str
    name: str
    sha256: str
    function_id: str | None = None
    expires_at: int | None = None
    created_at: int

    def expired(self, now: int) -> bool:
        """Say whether nobody can use it any more."""
        return self.expires_at is not None and self.expires_at <= now
