"""What is sealed is read by the same installation, for the same purpose, alone."""

import pytest

from pratai_common.sealing import Sealer, SealError
from pratai_common.tokens import TokenKey

KEY = TokenKey(b"k" * 32)


def test_what_is_sealed_can_be_opened_and_not_read() -> None:
    sealed = Sealer(KEY, "event").seal("pässword")
    assert "ssword" not in sealed
    assert Sealer(KEY, "event").open(sealed) == "pässword"
    assert Sealer(KEY, "event").seal("pässword") != sealed


@pytest.mark.parametrize(
    "other", [Sealer(KEY, "hook"), Sealer(TokenKey(b"l" * 32), "event")], ids=["purpose", "key"]
)
def test_nobody_else_opens_it(other: Sealer) -> None:
    sealed = Sealer(KEY, "event").seal("password")
    with pytest.raises(SealError):
        other.open(sealed)


def test_what_is_damaged_is_not_opened() -> None:
    sealed = Sealer(KEY, "event").seal("password")
    for damaged in ("", "é", sealed[:-5], sealed[:20] + "A" + sealed[21:], "x" + sealed):
        with pytest.raises(SealError):
            Sealer(KEY, "event").open(damaged)
