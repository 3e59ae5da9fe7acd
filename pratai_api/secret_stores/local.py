"""Secrets in one file of this machine, whose values nobody reads without the installation's key.

For an installation whose API runs on one machine; its processes exclude one another by a lock. The
name of a secret and of its project are bound to the value: no value passes for another's.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from oslo_config import cfg

from pratai_api.secret_stores.base import (
    Right,
    SecretInfo,
    SecretRefusedError,
    SecretStore,
    SecretsUnavailableError,
    missing,
)
from pratai_common.clock import Clock, now_ms
from pratai_common.conf import state_path
from pratai_common.decoding import json_decoder
from pratai_common.files import write_durably
from pratai_common.tokens import TokenKey

if TYPE_CHECKING:
    from pratai_api.keystone_sessions import Sessions

_NONCE_BYTES = 12
_MOST = 500
"""Secrets of a project: the file is read and written whole."""

LOCK_SECONDS = 5.0
_LOCK_PAUSE_SECONDS = 0.02


class _Kept(msgspec.Struct, frozen=True):
    """A secret in the file: a nonce, and the value that was encrypted with it."""

    created_at: int
    sealed: bytes


_Projects = dict[str, dict[str, _Kept]]
_decoder = json_decoder(_Projects)


class LocalSecrets(SecretStore):
    """See the module. ``path`` is the file; its folder is made."""

    needs_trust: ClassVar[bool] = False

    def __init__(
        self,
        path: Path,
        key: bytes,
        clock: Clock = now_ms,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        """``lock_seconds``: for so long another process may write."""
        self._path = path
        self._cipher = AESGCM(key)
        self._clock = clock
        self._lock_seconds = lock_seconds

    @classmethod
    def from_conf(
        cls, conf: cfg.ConfigOpts, key: TokenKey, sessions: "Sessions | None"
    ) -> "LocalSecrets":
        """See SecretStore."""
        return cls(state_path(conf, "secrets", "values.json"), key.derive("local secrets"))

    def put(self, right: Right, name: str, value: bytes) -> SecretInfo:
        """See SecretStore."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, value, _bound(right, name))
        with self._changing() as projects:
            of_project = projects.setdefault(right.project_id, {})
            if name not in of_project and len(of_project) >= _MOST:
                raise SecretRefusedError(f"the project has {_MOST} secrets, and may have no more")
            of_project[name] = _Kept(self._clock(), sealed)
        return SecretInfo(name, of_project[name].created_at)

    def list(self, right: Right) -> list[SecretInfo]:
        """See SecretStore."""
        found = self._read().get(right.project_id, {})
        return [SecretInfo(name, found[name].created_at) for name in sorted(found)]

    def get(self, right: Right, name: str) -> bytes:
        """See SecretStore."""
        kept = self._read().get(right.project_id, {}).get(name)
        if kept is None:
            raise missing(name)
        nonce, sealed = kept.sealed[:_NONCE_BYTES], kept.sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, _bound(right, name))
        except (InvalidTag, ValueError) as error:
            raise SecretsUnavailableError(
                f"the secret {name} is damaged, or was kept with another key"
            ) from error

    def delete(self, right: Right, name: str) -> None:
        """See SecretStore."""
        with self._changing() as projects:
            of_project = projects.get(right.project_id, {})
            if of_project.pop(name, None) is None:
                raise missing(name)
            if not of_project:
                del projects[right.project_id]

    def _read(self) -> _Projects:
        """Return what the file has; one is there whole, or not yet."""
        try:
            return _decoder.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise SecretsUnavailableError(f"the secrets cannot be read: {error}") from error

    @contextmanager
    def _changing(self) -> Iterator[_Projects]:
        """Let nobody else change the file while the block does; it is written at the end."""
        try:
            with self._locked():
                projects = self._read()
                yield projects
                write_durably(self._path, msgspec.json.encode(projects), mode=0o600)
        except OSError as error:
            raise SecretsUnavailableError(f"the secrets cannot be written: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path.with_suffix(".lock"), flags, 0o600)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        """Exclude others; raises SecretsUnavailableError where one does not let go."""
        ends = time.monotonic() + self._lock_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= ends:
                    raise SecretsUnavailableError("another process holds the secrets") from error
                time.sleep(_LOCK_PAUSE_SECONDS)
            else:
                return


def _bound(right: Right, name: str) -> bytes:
    """Return what a value is bound to."""
    return msgspec.msgpack.encode((right.project_id, name))
