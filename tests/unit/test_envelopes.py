"""What is sealed to a node's key is opened by that node, for what it asked, alone."""

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from pratai_common.envelopes import EnvelopeError, Opener, curve_key, seal

CONTEXT = b"claim"


@given(st.binary(max_size=1000))
def test_what_is_sealed_is_opened(content: bytes) -> None:
    opener = Opener.ephemeral()
    sealed = seal(content, opener.public, CONTEXT)
    assert opener.open(sealed, CONTEXT) == content
    assert seal(content, opener.public, CONTEXT) != sealed
    if len(content) > 8:
        assert content not in sealed


def test_the_keys_of_nodes_do() -> None:
    """What ``pratai-keys`` makes for ZeroMQ is the same kind of key."""
    public, secret = zmq.curve_keypair()
    opener = Opener(curve_key(secret))
    assert opener.public == curve_key(public)
    assert opener.open(seal(b"value", curve_key(public), CONTEXT), CONTEXT) == b"value"


def test_nobody_else_opens_it() -> None:
    opener = Opener.ephemeral()
    sealed = seal(b"value", opener.public, CONTEXT)
    with pytest.raises(EnvelopeError):
        Opener.ephemeral().open(sealed, CONTEXT)
    with pytest.raises(EnvelopeError):
        opener.open(sealed, b"another claim")
    assert opener.open(sealed, CONTEXT) == b"value"


@pytest.mark.parametrize("place", [0, 31, 32, -1])
def test_what_is_damaged_is_not_opened(place: int) -> None:
    opener = Opener.ephemeral()
    damaged = bytearray(seal(b"value", opener.public, CONTEXT))
    damaged[place] ^= 1
    with pytest.raises(EnvelopeError):
        opener.open(bytes(damaged), CONTEXT)


@pytest.mark.parametrize("sealed", [b"", b"x" * 31, b"x" * 32, bytes(48)])
def test_what_is_no_envelope(sealed: bytes) -> None:
    with pytest.raises(EnvelopeError):
        Opener.ephemeral().open(sealed, CONTEXT)


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33, bytes(32)])
def test_what_is_no_key(key: bytes) -> None:
    """Zeros would make a secret that everybody knows."""
    with pytest.raises(EnvelopeError):
        seal(b"value", key, CONTEXT)
