"""What is made of wal2json's messages; the real server's are in the contract suite."""

import json
from typing import Any

import pytest

from pratai_agent.sources.base import Happened
from pratai_agent.sources.wal2json import Decoder, MalformedError, options

BEGIN = b'{"action":"B","timestamp":"2026-01-31 12:00:00+00","lsn":"0/2","nextlsn":"0/3"}'


def message(action: str = "I", lsn: str = "0/1", **values: Any) -> bytes:
    given = {
        "action": action,
        "timestamp": "2026-01-31 12:00:00.5+01",
        "lsn": lsn,
        "schema": "public",
        "table": "t",
        **values,
    }
    return json.dumps(given).encode()


def happened(decoder: Decoder, content: bytes) -> Happened:
    found = decoder.decode(content)
    assert found is not None
    return found


def test_a_row_is_known_by_where_it_stands() -> None:
    decoder = Decoder("7")
    stream = [message(lsn="0/1"), message(lsn="0/2"), message(lsn="0/2"), BEGIN, message(lsn="0/1")]
    ids = [found.id for each in stream if (found := decoder.decode(each))]
    moment = "2026-01-31T11:00:00.500000Z"
    assert ids == [f"7:{moment}:{each}" for each in ("0/1:0", "0/2:0", "0/2:1", "0/1:0")]


def test_another_connection_gives_the_same_ids() -> None:
    stream = [message(lsn="0/2"), message(lsn="0/2"), message(lsn="0/5", action="D")]
    first, second = Decoder("7"), Decoder("7")
    assert [first.decode(each) for each in stream] == [second.decode(each) for each in stream]


@pytest.mark.parametrize(
    "other",
    [
        (Decoder("8"), message()),
        (Decoder("7"), message(lsn="0/2")),
        (Decoder("7"), message(timestamp="2026-01-31 12:00:00.500001+01")),
    ],
    ids=["of another server", "at another position", "of another history"],
)
def test_what_is_something_else_has_another_id(other: tuple[Decoder, bytes]) -> None:
    assert happened(*other).id != happened(Decoder("7"), message()).id


@pytest.mark.parametrize("action", ["B", "C", "T", "M"])
def test_what_says_nothing_of_a_row(action: str) -> None:
    assert Decoder("7").decode(message(action)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"action":',
        message(timestamp="yesterday"),
        message(columns=[{"name": "a"}]),
        message(columns=[{"name": "a", "type": "json", "value": 1}]),
    ],
)
def test_what_cannot_be_read(content: bytes) -> None:
    with pytest.raises(MalformedError, match="wal2json sent what cannot be read: "):
        Decoder("7").decode(content)


def test_text_in_another_encoding() -> None:
    content = message(columns=[{"name": "a", "type": "text", "value": "é"}])
    content = content.decode("unicode-escape").encode("latin-1")
    found = happened(Decoder("7", "latin-1"), content)
    assert json.loads(found.payload)["new"] == {"a": "é"}


def test_the_plugin_is_told_what_is_wanted() -> None:
    assert options([], ["insert", "delete"]) == {
        "format-version": "2",
        "include-lsn": "true",
        "include-timestamp": "true",
        "actions": "insert,delete",
    }
    chosen = options(["public.orders", "Über, a.b*.c"], ["insert"])
    assert chosen["add-tables"] == r"public.orders,Über\,\ a.b\*\.c"
