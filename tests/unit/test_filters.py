"""Patterns on data: what matches, what does not, and what is no pattern."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import filters
from pratai_common.filters import FilterError

MATCHES: list[tuple[dict[str, Any], Any]] = [
    ({"a": [1]}, {"a": 1, "b": 2}),
    ({"a": ["x", "y"]}, {"a": "y"}),
    ({"a": [None]}, {"a": None}),
    ({"a": [1]}, {"a": 1.0}),
    ({"a": [{"prefix": "err"}]}, {"a": "error"}),
    ({"a": [{"suffix": ".png"}]}, {"a": "x.png"}),
    ({"a": [{"exists": False}]}, {}),
    ({"a": [{"exists": True}]}, {"a": None}),
    ({"a": {"b": [{"exists": False}]}}, {"a": 5}),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}),
    ({"a": [{"anything-but": "x"}]}, {"a": 1}),
    ({"a": [{"numeric": [">", 1, "<=", 5]}]}, {"a": 5}),
    ({"a": [{"numeric": ["=", 5]}]}, {"a": 5.0}),
    ({"a": ["x"]}, {"a": ["w", "x"]}),
    ({"a": {"b": [1]}}, {"a": [{"b": 2}, {"b": 1}]}),
    ({"a": {"b": {"c": [True]}}}, {"a": {"b": {"c": True}}}),
    ({"a": ["x", {"prefix": "y"}]}, {"a": "yes"}),
    ({"a": [1], "b": [2]}, {"a": 1, "b": 2}),
    ({"a": [1]}, [{"a": 2}, {"a": 1}]),
]
MISSES: list[tuple[dict[str, Any], Any]] = [
    ({"a": [1]}, {"a": True}),
    ({"a": [0]}, {"a": False}),
    ({"a": ["1"]}, {"a": 1}),
    ({"a": [1]}, {}),
    ({"a": [1]}, "text"),
    ({"a": [1]}, None),
    ({"a": [{"prefix": "1"}]}, {"a": 1}),
    ({"a": [{"exists": False}]}, {"a": None}),
    ({"a": [{"exists": True}]}, {}),
    ({"a": [{"anything-but": ["x"]}]}, {"a": "x"}),
    ({"a": [{"anything-but": ["x"]}]}, {}),
    ({"a": [{"anything-but": ["x"]}]}, {"a": ["w", "x"]}),
    ({"a": [{"numeric": [">", 1]}]}, {"a": 1}),
    ({"a": [{"numeric": [">", 0]}]}, {"a": True}),
    ({"a": [1], "b": [2]}, {"a": 1, "b": 3}),
    ({"a": {"b": [1]}}, {"a": 1}),
]
REFUSED: list[tuple[Any, str]] = [
    (None, "a filter is an object with a field at least"),
    ([], "a filter is an object with a field at least"),
    ({}, "a filter is an object with a field at least"),
    ({"a": 1}, "$.a: a list of conditions, or an object of fields, is expected"),
    ({"a": []}, "$.a: a list of conditions, or an object of fields, is expected"),
    ({"a": {"b": {}}}, "$.a.b: a list of conditions, or an object of fields, is expected"),
    ({"a": [[1]]}, "$.a: a condition is no list"),
    ({"a": [{}]}, "$.a: a condition has one operator"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "$.a: a condition has one operator"),
    (
        {"a": [{"regex": "x"}]},
        "$.a: there is no operator 'regex'; known: anything-but, exists, numeric, prefix, suffix",
    ),
    ({"a": [{"prefix": 1}]}, "$.a: prefix has an operand that it cannot have"),
    ({"a": [{"exists": 1}]}, "$.a: exists has an operand that it cannot have"),
    ({"a": [{"numeric": [">"]}]}, "$.a: numeric has an operand that it cannot have"),
    ({"a": [{"numeric": ["!", 1]}]}, "$.a: numeric has an operand that it cannot have"),
    ({"a": [{"numeric": [">", True]}]}, "$.a: numeric has an operand that it cannot have"),
    ({"a": [{"numeric": [[], 1]}]}, "$.a: numeric has an operand that it cannot have"),
    ({"a": [{"anything-but": {}}]}, "$.a: anything-but has an operand that it cannot have"),
    ({"a": list(range(101))}, "a filter has at most 100 conditions"),
    ({"a": [{"anything-but": list(range(101))}]}, "a filter has at most 100 conditions"),
]


@pytest.mark.parametrize(("pattern", "data"), MATCHES)
def test_what_matches(pattern: dict[str, Any], data: Any) -> None:
    filters.check(pattern)
    assert filters.matches(pattern, data)


@pytest.mark.parametrize(("pattern", "data"), MISSES)
def test_what_does_not(pattern: dict[str, Any], data: Any) -> None:
    filters.check(pattern)
    assert not filters.matches(pattern, data)


@pytest.mark.parametrize(("pattern", "message"), REFUSED)
def test_what_is_no_pattern(pattern: Any, message: str) -> None:
    with pytest.raises(FilterError) as raised:
        filters.check(pattern)
    assert str(raised.value) == message


def test_a_pattern_is_not_too_deep() -> None:
    pattern: dict[str, Any] = {"a": [1]}
    for _ in range(filters.MAX_DEPTH - 1):
        pattern = {"a": pattern}
    filters.check(pattern)
    with pytest.raises(FilterError, match="at most 8 levels"):
        filters.check({"a": pattern})


def test_a_list_in_a_list_matches_nothing_however_deep_it_is() -> None:
    data: Any = {"a": 1}
    assert filters.matches({"a": [1]}, [data])
    for _ in range(900):
        data = [data]
    assert not filters.matches({"a": [1]}, data)
    assert not filters.matches({"b": {"a": [1]}}, {"b": data})


_SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | st.text()
_DATA = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=8,
)
_CONDITIONS = (
    _SCALARS
    | st.builds(lambda x: {"prefix": x}, st.text(max_size=2))
    | st.builds(lambda x: {"exists": x}, st.booleans())
    | st.builds(lambda x: {"anything-but": x}, _SCALARS)
    | st.builds(lambda x: {"numeric": [">", x]}, st.integers())
)
_PATTERNS = st.recursive(
    st.dictionaries(
        st.sampled_from("ab"), st.lists(_CONDITIONS, min_size=1, max_size=3), min_size=1
    ),
    lambda inner: st.dictionaries(st.sampled_from("ab"), inner, min_size=1),
    max_leaves=4,
)


@given(_PATTERNS, _DATA)
def test_whatever_is_accepted_is_decided(pattern: dict[str, Any], data: Any) -> None:
    filters.check(pattern)
    assert filters.matches(pattern, data) in (True, False)


@pytest.mark.parametrize(
    "pattern",
    [
        {"a": [{"anything-but": list(range(2, 102))}]},
        {"a": [{"prefix": str(each)} for each in range(100)]},
        {"a": {"b": list(range(2, 102))}},
    ],
)
def test_nobody_s_data_holds_up_others(pattern: dict[str, Any]) -> None:
    """As much as a payload can hold is not looked through, whatever the filter."""
    filters.check(pattern)
    assert not filters.matches(pattern, {"a": [1] * 3_000_000})
    assert not filters.matches(pattern, {"a": [{"b": 1}] * 600_000})


def test_what_is_large_is_looked_through_in_part() -> None:
    pattern = {"a": [2]}
    assert filters.matches(pattern, {"a": [1] * (filters.MAX_COMPARISONS - 1) + [2]})
    assert not filters.matches(pattern, {"a": [1] * filters.MAX_COMPARISONS + [2]})
