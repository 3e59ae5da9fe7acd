"""Whatever is sent to be published is recorded or refused, and is no error of ours."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.fuzz.fuzzing import fuzz
from tests.fuzz.inputs import VALUES, altered, damaged
from tests.unit.api_world import ApiWorld
from tests.unit.test_publications import BATCH, EVENT, ONE, Shop

WHOLE = {**EVENT, "subject": "s", "time": "2026-01-02T03:04:05Z", "amount": 5, "data": {"a": [1]}}
TREES: list[Any] = [
    WHOLE,
    {**EVENT, "data_base64": "YQ=="},
    [WHOLE, {**WHOLE, "id": "8"}],
    {"a": 1},
]
TIMES = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:60Z",
    "2026-01-02",
    "now",
    "2026-02-30T00:00:00Z",
]
HEADERS = st.dictionaries(
    st.sampled_from(
        ["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "ce-a", "ce-A b", "ce-"]
    ),
    st.sampled_from(["1.0", "7", "%C3", "%", "%00", "é", *TIMES]) | st.text("ab%09 \t", max_size=5),
    max_size=5,
)
TYPES = st.sampled_from(
    [ONE, ONE, BATCH, "application/json", "text/plain", "", "application/x-www-form-urlencoded",
     "application/cloudevents+avro", f"{ONE}; charset=latin-1", "multipart/form-data", "é"]
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a content type, headers and a body: a line of JSON, and the bytes behind it."""
    written = [json.dumps(each).encode() for each in TREES]
    body = draw(
        altered(TREES, VALUES | st.sampled_from(TIMES)).map(lambda tree: json.dumps(tree).encode())
        | damaged(written, [b"[" * 3000, b"9" * 400, b'"\\ud800"', b"\xff"])
        | st.binary(max_size=30)
    )
    return json.dumps([draw(TYPES), draw(HEADERS)]).encode() + b"\n" + body


@cache
def shop() -> Shop:
    return Shop(WORLD[0])


WORLD: list[ApiWorld] = []


@pytest.fixture(scope="module", autouse=True)
def world() -> Iterator[None]:
    """The application that all of these share."""
    with TemporaryDirectory() as folder:
        WORLD.append(ApiWorld(Path(folder)))
        yield
        assert shop().publish({**EVENT, "id": "ordinary"}).status_code == 202
        WORLD.pop().close()
        shop.cache_clear()


@fuzz("publications", requests(), 60)
def test_a_publication_is_recorded_or_refused(content: bytes) -> None:
    line, _, body = content.partition(b"\n")
    content_type, headers = json.loads(line)
    named = {name.replace("-", "_"): value for name, value in headers.items()}
    answer = shop().publish(body, content_type, **named)
    if answer.status_code != 202:
        assert 400 <= answer.status_code < 500
        assert answer.json["error"]["reason"]
        assert answer.json["error"]["message"]
