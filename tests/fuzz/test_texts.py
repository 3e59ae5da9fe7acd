"""What users write in a language of ours: patterns on data, cron expressions."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

from pratai_common import cron, filters
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.inputs import VALUES, altered, damaged

PATTERNS: list[Any] = [
    {"a": [1, "x", None, True], "b": {"c": [{"prefix": "x"}, {"suffix": "y"}]}},
    {
        "a": [{"exists": True}],
        "b": [{"anything-but": ["x", 1]}],
        "c": [{"numeric": [">", 1, "<=", 5]}],
    },
    {"a": {"b": {"c": {"d": [{"anything-but": "x"}]}}}},
]
DATA: list[Any] = [
    {"a": 1, "b": {"c": "xy"}, "c": 5},
    [{"a": [{"b": [1]}]}],
    {"a": {"b": {"c": {}}}},
]


def texts(trees: list[Any]) -> st.SearchStrategy[bytes]:
    written = [json.dumps(each).encode() for each in trees]
    numbers = [b"1e400", b"9" * 400, b"-0.0", b"1e-400", b'"\\ud800"', b"[[[[1]]]]"]
    values = VALUES | st.sampled_from([{"numeric": [">", 10**400]}, [[1]], {"": []}, 10**400])
    return altered(trees, values).map(lambda tree: json.dumps(tree).encode()) | damaged(
        written, numbers
    )


@fuzz("filters", st.tuples(texts(PATTERNS), texts(DATA)).map(b"\n".join), 100)
def test_a_pattern_is_refused_or_decides(content: bytes) -> None:
    try:
        pattern, data = map(json.loads, content.split(b"\n", 1))
    except (ValueError, RecursionError):
        return
    with suppress(filters.FilterError):
        filters.check(pattern)
        assert filters.matches(pattern, data) in (True, False)
        assert filters.matches(pattern, [data, [data]]) in (True, False)


FIELDS = st.text("0123456789*,-/#LlWw?hHrR@ ", max_size=8) | st.sampled_from(
    [
        "*", "*/5", "0", "1-5", "L", "5#2", "mon", "jan-mar", "@daily", "0-99999999999",
        "*/99999999999", "1/1", "\u0663", "²", "1-", "-1", "5#9", "L5", "sun#L", "1,,2",
        "00000000001", "59-0", "fri-mon", "?", "LW", "15W", "#", "1#", "0x1", "1_0",
        "\u0661-\u0665", "*/1-5", "*-5", "7", "0,7", "R(1-5)", "H(0-9)",
    ]
)  # fmt: skip
EXPRESSIONS = st.lists(FIELDS, min_size=5, max_size=5).map(" ".join) | st.builds(
    lambda at, field: " ".join(field if at == each else "*" for each in range(5)),
    st.integers(0, 4),
    FIELDS,
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "Africa/Casablanca"])
MOMENTS = st.sampled_from([0, 1_700_000_000_000, 4_000_000_000_000, -(10**12)]) | st.integers(
    0, 8_000_000_000_000
)


def line(expression: str, zone: str, moment: int) -> bytes:
    return f"{expression}|{zone}|{moment}".encode(errors="replace")


@fuzz("cron", st.builds(line, EXPRESSIONS | st.text(max_size=20), ZONES, MOMENTS), 100)
def test_an_expression_is_refused_or_fires(content: bytes) -> None:
    expression, zone, moment = content.decode(errors="replace").rsplit("|", 2)
    with suppress(cron.CronError):
        cron.check(expression, zone)
        assert cron.next_tick(expression, zone, 0) is not None
        after = int(moment)
        tick = cron.next_tick(expression, zone, after)
        if tick is not None:
            assert tick > after
            assert tick % 60_000 == 0
            assert cron.latest_ticks(expression, zone, after, tick, 1) == [tick]
