"""Patterns that choose what of an event's data runs a function. Pure.

A pattern is an object in the shape of the data: ``{"status": ["done", {"prefix": "err"}]}``. A
field matches where any of the listed conditions does, and all fields of a pattern must. A list in
the data matches where any of its elements does, but no list in a list. It is a part of the language
of event patterns that users of function platforms know from Amazon EventBridge.
"""

from collections.abc import Callable
from typing import Any

MAX_DEPTH = 8
MAX_CONDITIONS = 100
MAX_COMPARISONS = 100_000
"""Of a pattern with one piece of data: some hundredths of a second."""


class FilterError(ValueError):
    """A pattern that is none; the message says where and why."""


def check(pattern: Any) -> None:
    """Raise FilterError where this is no pattern."""
    if not isinstance(pattern, dict) or not pattern:
        raise FilterError("a filter is an object with a field at least")
    if _check(pattern, "$", 1) > MAX_CONDITIONS:
        raise FilterError(f"a filter has at most {MAX_CONDITIONS} conditions")


def matches(pattern: dict[str, Any], data: Any) -> bool:
    """Say whether data matches a pattern that ``check`` accepts. Data that takes more than
    ``MAX_COMPARISONS`` to find out does not.
    """
    try:
        return _Evaluation().matches(pattern, data)
    except _TooMuchError:
        return False


_MISSING = object()


class _TooMuchError(Exception):
    """The data is larger than anybody's filter may have looked through."""


class _Evaluation:
    """Compares one pattern with one piece of data: whoever wrote both must hold up nobody else."""

    def __init__(self) -> None:
        self._left = MAX_COMPARISONS

    def matches(self, pattern: dict[str, Any], data: Any) -> bool:
        if isinstance(data, list):
            return any(
                self.matches(pattern, each)
                for each in self._counted(data)
                if not isinstance(each, list)
            )
        return all(self._field(wanted, data, name) for name, wanted in pattern.items())

    def _field(self, wanted: Any, data: Any, name: str) -> bool:
        value = data.get(name, _MISSING) if isinstance(data, dict) else _MISSING
        if isinstance(wanted, dict):
            return self.matches(wanted, {} if value is _MISSING else value)
        return any(self._condition(each, value) for each in wanted)

    def _condition(self, wanted: Any, value: Any) -> bool:
        if isinstance(wanted, dict) and "exists" in wanted:
            return bool(wanted["exists"]) is (value is not _MISSING)
        if value is _MISSING:
            return False
        if not isinstance(wanted, dict):
            return any(_equal(each, wanted) for each in self._elements(value))
        ((operator, operand),) = wanted.items()
        if operator == "anything-but":
            return not any(
                _equal(each, one)
                for one in (operand if isinstance(operand, list) else [operand])
                for each in self._elements(value)
            )
        holds = _OPERATORS[operator]
        return any(holds(each, operand) for each in self._elements(value))

    def _elements(self, value: Any) -> list[Any]:
        return self._counted(value if isinstance(value, list) else [value])

    def _counted(self, elements: list[Any]) -> list[Any]:
        self._left -= len(elements)
        if self._left < 0:
            raise _TooMuchError
        return elements


def _equal(value: Any, wanted: Any) -> bool:
    """Say whether two values are the same as JSON: true is not 1."""
    return isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted)


def _prefix(value: Any, operand: Any) -> bool:
    return isinstance(value, str) and value.startswith(operand)


def _suffix(value: Any, operand: Any) -> bool:
    return isinstance(value, str) and value.endswith(operand)


def _numeric(value: Any, operand: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[sign](value, limit) for sign, limit in pairs)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    "=": lambda value, limit: value == limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "numeric": _numeric,
}


def _check(pattern: dict[str, Any], where: str, depth: int) -> int:
    """Return how many conditions a pattern has; raises FilterError."""
    if depth > MAX_DEPTH:
        raise FilterError(f"{where}: a filter has at most {MAX_DEPTH} levels")
    count = 0
    for name, wanted in pattern.items():
        here = f"{where}.{name}"
        if isinstance(wanted, dict) and wanted:
            count += _check(wanted, here, depth + 1)
        elif isinstance(wanted, list) and wanted:
            for each in wanted:
                _check_condition(each, here)
                count += _weight(each)
        else:
            raise FilterError(f"{here}: a list of conditions, or an object of fields, is expected")
    return count


def _weight(condition: Any) -> int:
    """Return for how many conditions one counts: each value that a field must not have is one."""
    operand = condition.get("anything-but") if isinstance(condition, dict) else None
    return max(1, len(operand)) if isinstance(operand, list) else 1


def _check_condition(condition: Any, where: str) -> None:
    if isinstance(condition, list):
        raise FilterError(f"{where}: a condition is no list")
    if not isinstance(condition, dict):
        return
    if len(condition) != 1:
        raise FilterError(f"{where}: a condition has one operator")
    ((operator, operand),) = condition.items()
    if operator not in _OPERANDS:
        raise FilterError(f"{where}: there is no operator {operator!r}; known: {_KNOWN}")
    if not _OPERANDS[operator](operand):
        raise FilterError(f"{where}: {operator} has an operand that it cannot have")


def _is_scalar(operand: Any) -> bool:
    return operand is None or isinstance(operand, str | int | float)


def _is_numeric(operand: Any) -> bool:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        return False
    signs, limits = operand[::2], operand[1::2]
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in limits)
    return numbers and all(isinstance(each, str) and each in _COMPARISONS for each in signs)


_OPERANDS: dict[str, Callable[[Any], bool]] = {
    "exists": lambda operand: isinstance(operand, bool),
    "prefix": lambda operand: isinstance(operand, str),
    "suffix": lambda operand: isinstance(operand, str),
    "numeric": _is_numeric,
    "anything-but": lambda operand: (
        all(map(_is_scalar, operand)) if isinstance(operand, list) else _is_scalar(operand)
    ),
}
_KNOWN = ", ".join(sorted(_OPERANDS))
