"""What archives do: bytes by their sha256, written once, durable when ``put`` returns."""

import hashlib
from abc import ABC, abstractmethod

from pratai_common import limits
from pratai_common.records import Body


class Archives(ABC):
    """Immutable bytes, named by what they are."""

    @abstractmethod
    def put(self, content: bytes) -> str:
        """Keep bytes durably; returns their sha256 in hex. Repeating it changes nothing.

        Raises ArchivesUnavailableError; then nothing is known to be kept.
        """

    @abstractmethod
    def get(self, sha256: str) -> bytes:
        """Return the bytes; raises ArchiveMissingError."""

    def keep(self, content: bytes, inline_bytes: int = limits.INLINE_BODY_BYTES) -> Body:
        """Return a body of these bytes, kept here where they are more than ``inline_bytes``."""
        if len(content) <= inline_bytes:
            return Body(
                sha256=hashlib.sha256(content).hexdigest(), size=len(content), content=content
            )
        return Body(sha256=self.put(content), size=len(content))

    def read(self, body: Body) -> bytes:
        """Return a body's bytes, wherever they are; raises ArchiveMissingError."""
        return self.get(body.sha256) if body.content is None else body.content
