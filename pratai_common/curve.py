"""CURVE on a daemon's sockets: what the configuration says, as options of libzmq.

Whoever binds is the server of the handshake, whoever connects must know the server's key, and
both prove that they have theirs.
"""

import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import zmq
from oslo_config import cfg

from pratai_common.envelopes import Opener, curve_key
from pratai_common.handshakes import Handshakes
from pratai_common.key_files import KeyFileError, KeyPair, public_path, read_pair, secret_path
from pratai_common.key_ring import KeyRing
from pratai_common.messages import Message
from pratai_common.senders import Identity, Role, may_connect, may_say
from pratai_common.zap import HANDSHAKE_MS, Doorkeeper

CURVE_BYTES = 33
"""What it adds to a frame: a command's name, flags, a nonce, a tag."""

_SEVERAL = frozenset(",;")
"""What separates addresses, or a source from a destination, in one of ZeroMQ's."""

_EVERYBODY_NEEDS = (Identity(Role.SCHEDULER), Identity(Role.COLLECTOR))


class Curve:
    """One daemon's own key pair, and the keys of others."""

    def __init__(self, me: Identity, pair: KeyPair, ring: KeyRing) -> None:
        self._me = me
        self._pair = pair
        self._ring = ring
        self._handshakes = Handshakes(time.monotonic)

    def serve(
        self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]
    ) -> Doorkeeper:
        """Have a socket take connections of those alone who may say anything to this daemon.

        Once in a context, before the socket is bound.
        """
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, self._me.role)
        # Without a handler libzmq would admit everybody.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        return Doorkeeper(context, self._refusal)

    def key(self, identity: Identity) -> bytes | None:
        """Return the key that whoever is connected to must have, ``None`` where none is known."""
        return self._ring.key(identity)

    def connect(self, socket: zmq.Socket[bytes], key: bytes) -> None:
        """Have a socket speak to nobody but who has this key."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, key)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._pair.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret)

    def opener(self) -> Opener:
        """Return what opens envelopes that are sealed to this daemon's own key."""
        return Opener(curve_key(self._pair.secret))

    def knows(self, identity: Identity) -> bool:
        """Say whether somebody's key is there."""
        return self._ring.key(identity) is not None

    def objection(self, message: Message, key: bytes) -> str | None:
        """Return why a message is not taken from whoever has a key; ``None`` where it is.

        Asked of each message: a connection outlives the key that it was made with.
        """
        sender = self._ring.owner(key)
        if sender is None:
            return "its sender's key is no longer known"
        if not may_say(self._me.role, message, sender):
            return f"{sender} may not say it"
        return None

    def _refusal(self, key: bytes) -> str | None:
        """Return why whoever has a key may not connect; ``None`` where they may."""
        sender = self._ring.owner(key)
        if sender is None or not may_connect(self._me.role, sender):
            return "is not admitted"
        if sender.role is Role.NODE and not self._handshakes.take(sender.name):
            return f"is that of {sender}, which connects too often"
        return None


def open_curve(conf: cfg.ConfigOpts, me: Identity) -> Curve | None:
    """Return what a daemon's sockets need, ``None`` where they are to be plain.

    Raises SystemExit with the reason where keys are missing or unfit, or where an address that is
    to be plain is not on loopback.
    """
    if conf.sockets.security == "plain":
        _require_loopback(conf)
        return None
    folder = Path(conf.sockets.keys_path)
    path = Path(conf.sockets.secret_key) if conf.sockets.secret_key else secret_path(folder, me)
    try:
        pair = read_pair(path)
    except KeyFileError as error:
        raise SystemExit(f"no secret key of {me}: {error} (see pratai-keys)") from error
    ring = KeyRing(folder)
    for other in _EVERYBODY_NEEDS:
        if ring.key(other) is None:
            raise SystemExit(f"no public key of {other}: {public_path(folder, other)} has none")
    if me.role is not Role.NODE and ring.key(me) != pair.public:
        raise SystemExit(f"{path} is not the secret key of {public_path(folder, me)}")
    return Curve(me, pair, ring)


def _require_loopback(conf: cfg.ConfigOpts) -> None:
    for option, address in _addresses(conf):
        if not is_loopback(address):
            raise SystemExit(
                f"{option} = {address} is not on loopback, and [sockets] security = plain is for "
                "loopback alone: set curve, and make keys with pratai-keys"
            )


def _addresses(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str]]:
    for group, name in (
        ("sockets", "scheduler"),
        ("sockets", "scheduler_bind"),
        ("sockets", "collector"),
        ("sockets", "collector_bind"),
        ("driver", "bind"),
        ("api", "reply_bind"),
    ):
        value = conf[group][name]
        for address in value if isinstance(value, list) else filter(None, [value]):
            yield f"[{group}] {name}", address


def is_loopback(address: str) -> bool:
    """Say whether an address of ZeroMQ's can be reached from this machine alone.

    Names but ``localhost`` and interfaces but ``lo`` may stand for anything, so they cannot.
    """
    try:
        if _SEVERAL.intersection(address):
            return False
        parts = urlsplit(address)
        if parts.scheme in ("ipc", "inproc") or parts.hostname in ("localhost", "lo"):
            return True
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
