"""What archives do: bytes by their sha256, written once, durable when ``put`` returns."""

import hashlib
import io
import re
from abc import ABC, abstractmethod
from typing import Any, BinaryIO

from oslo_config import cfg
from stevedore import driver

from pratai_common import limits
from pratai_common.errors import ArchiveMissingError
from pratai_common.records import Body
from pratai_common.tokens import TokenKey

_SHA256 = re.compile("[0-9a-f]{64}")


class Archives(ABC):
    """Immutable bytes, named by what they are. May be used from many threads."""

    @classmethod
    @abstractmethod
    def from_conf(cls, conf: cfg.ConfigOpts, key: TokenKey) -> "Archives":
        """Return the archives that the configuration describes; ``key`` is the installation's."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what must be there before the first archive; repeatable.

        Raises ArchivesUnavailableError.
        """

    @abstractmethod
    def put(self, content: bytes) -> str:
        """Keep bytes durably; returns their sha256 in hex. Repeating it changes nothing.

        Raises ArchivesUnavailableError; then nothing is known to be kept.
        """

    def get(self, sha256: str) -> bytes:
        """Return the bytes. What was damaged counts as missing.

        Raises ArchiveMissingError and ArchivesUnavailableError.
        """
        content = self._get(named(sha256))
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ArchiveMissingError(f"{sha256} is damaged")
        return content

    def open(self, sha256: str) -> BinaryIO:
        """Return the bytes as a file to be read and closed. It is for its reader to compare them.

        Raises ArchiveMissingError and ArchivesUnavailableError.
        """
        return io.BytesIO(self.get(sha256))

    @abstractmethod
    def _get(self, sha256: str) -> bytes:
        """Return the bytes that are kept under a sha256; raises what ``get`` does."""

    @abstractmethod
    def url(self, sha256: str, expires: int) -> str:
        """Return an address by which anybody can get an archive until ``expires`` (seconds since
        1970), and needs nothing else for it.

        Raises ArchivesUnavailableError where the storage's own address is not known yet.
        """

    def keep(self, content: bytes) -> Body:
        """Return a body of these bytes, kept here unless they are few."""
        if len(content) <= limits.INLINE_BODY_BYTES:
            return Body.inline(content)
        return Body(sha256=self.put(content), size=len(content))

    def read(self, body: Body) -> bytes:
        """Return a body's bytes, wherever they are; raises what ``get`` does."""
        return self.get(body.sha256) if body.content is None else body.content


def named(sha256: str) -> str:
    """Return a name if it can be that of an archive; raises ArchiveMissingError."""
    if not _SHA256.fullmatch(sha256):
        raise ArchiveMissingError(sha256)
    return sha256


def open_archives(conf: cfg.ConfigOpts, key: TokenKey) -> Archives:
    """Open the archives that the configuration names."""
    plugin: Any = driver.DriverManager("pratai.archives", conf.archives.driver)
    archives: Archives = plugin.driver.from_conf(conf, key)
    return archives
