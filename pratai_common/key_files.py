"""Key pairs as files, in the form that ``zmq.auth`` reads and writes.

Below one folder: ``scheduler.key`` and the like for the roles of the control plane,
``node/NAME.key`` for nodes; the file's name says whose key it is, and nothing inside does. Secret
keys are ``.key_secret`` beside them, or wherever their daemon is told that its own is.
"""

import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85

from pratai_common.files import write_durably
from pratai_common.options.nodes import NODE_NAME
from pratai_common.senders import CONTROL_PLANE, Identity, Role

_NODES = "node"
_PUBLIC, _SECRET = ".key", ".key_secret"
_KEY_CHARACTERS, _KEY_BYTES = 40, 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyPair(NamedTuple):
    """A CURVE key pair as ZeroMQ takes it: Z85, 40 characters each."""

    public: bytes
    secret: bytes


class KeyFileError(Exception):
    """A file holds no key, or one that is not kept as a key has to be; says which and why."""


def public_path(folder: Path, identity: Identity) -> Path:
    """Return where somebody's public key lies."""
    return _stem(folder, identity, _PUBLIC)


def secret_path(folder: Path, identity: Identity) -> Path:
    """Return where somebody's secret key lies, unless they were told another place."""
    return _stem(folder, identity, _SECRET)


def public_files(folder: Path) -> Iterator[tuple[Identity, Path]]:
    """Yield whose key lies where: of the control plane first, then of nodes by name.

    Raises OSError where the folder itself cannot be read; one without nodes is none.
    """
    here = {path.name for path in folder.iterdir()}
    for role in CONTROL_PLANE:
        if f"{role}{_PUBLIC}" in here:
            yield Identity(role), folder / f"{role}{_PUBLIC}"
    if _NODES in here:
        for path in sorted((folder / _NODES).iterdir()):
            if path.suffix == _PUBLIC and re.fullmatch(NODE_NAME, path.stem):
                yield Identity(Role.NODE, path.stem), path


def make_pair(folder: Path, identity: Identity) -> None:
    """Write a new key pair, in place of one that is there; raises OSError.

    The secret one comes first: a public key whose secret one is nowhere would lock its owner out.
    """
    public, secret = zmq.curve_keypair()
    path = public_path(folder, identity)
    for each in (folder, path.parent):
        if not each.is_dir():
            each.mkdir(parents=True)
            each.chmod(0o755)  # public keys are for all daemons, whoever made the folder
    text = f'metadata\ncurve\n    public-key = "{public.decode()}"\n'
    private = f'{text}    secret-key = "{secret.decode()}"\n'
    write_durably(secret_path(folder, identity), private.encode(), mode=0o600)
    write_durably(path, text.encode(), mode=0o644)


def read_public(path: Path) -> bytes:
    """Return the public key in a file; raises KeyFileError."""
    return _read(path)[0]


def read_pair(path: Path) -> KeyPair:
    """Return the key pair in a secret file, which nobody but its owner may read; raises
    KeyFileError.
    """
    public, secret = _read(path)
    if path.stat().st_mode & _OTHERS:
        raise KeyFileError(f"{path} can be read by others than its owner: chmod 600 {path}")
    if secret is None:
        raise KeyFileError(f"{path} has a public key alone, where a secret one belongs")
    if zmq.curve_public(secret) != public:
        raise KeyFileError(f"{path} has two keys that are no pair")
    return KeyPair(public, secret)


def _read(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = load_certificate(path)
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path} has no key: {error}") from error
    except IndexError as error:
        raise KeyFileError(f"{path} has no key: a line has nothing behind its name") from error
    for key in (public, secret):
        if key is not None and not _is_key(key):
            raise KeyFileError(f"{path} has no key: what stands there is not one of 40 characters")
    return public, secret


def _is_key(text: bytes) -> bool:
    try:
        return len(text) == _KEY_CHARACTERS and len(z85.decode(text)) == _KEY_BYTES
    except (KeyError, struct.error):
        return False


def _stem(folder: Path, identity: Identity, suffix: str) -> Path:
    if identity.role is Role.NODE:
        return folder / _NODES / f"{identity.name}{suffix}"
    return folder / f"{identity.role}{suffix}"
