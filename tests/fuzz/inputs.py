"""What all targets are given: bytes of any kind, damaged bytes, and altered trees of values."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

SCALARS: SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64 - 1])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "\0", "\n", "n", "r", "p", "\U0001f600" * 200, "x" * 70_000])
)
VALUES: SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@st.composite
def damaged(
    draw: Callable[..., Any], sound: Sequence[bytes], odd: Sequence[bytes] = (b"\xff",)
) -> bytes:
    """Return something sound with a few bytes changed, removed, or put in: of ``odd``, too."""
    content = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        removed = draw(st.sampled_from([0, 1, 1, 2, 5, 30]))
        content[place : place + removed] = draw(st.binary(max_size=4) | st.sampled_from(odd))
    return bytes(content)


@st.composite
def altered(draw: Callable[..., Any], trees: Sequence[Any], values: Any = VALUES) -> Any:
    """Return a tree of lists and objects with a few of its values replaced, removed or doubled."""
    tree = draw(st.sampled_from(trees))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_paths(tree)))
        tree = _replaced(tree, path, draw(values), draw(st.booleans()))
    return tree


def _paths(tree: Any) -> list[tuple[Any, ...]]:
    if not isinstance(tree, dict | list):
        return [()]
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [(), *((key, *path) for key, each in inner for path in _paths(each))]


def _replaced(tree: Any, path: tuple[Any, ...], value: Any, remove: bool) -> Any:
    if not path:
        return value
    key, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if not rest and remove:
        del copy[key]
    else:
        copy[key] = _replaced(tree[key], tuple(rest), value, remove)
    return copy
