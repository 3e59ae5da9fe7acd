"""The chain of requests that one caused: a tree, and how it is drawn."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prataiclient.resources import Json, Request

_SHOWN = ("request_id", "function_id", "status", "reason", "run_ms")


class Branches(NamedTuple):
    """What a tree is drawn with, all of one width."""

    fork: str
    last: str
    by: str
    none: str


_UNICODE = Branches("├── ", "└── ", "│   ", "    ")
_ASCII = Branches("|-- ", "`-- ", "|   ", "    ")


def branches(encoding: str) -> Branches:
    """Return what an output of this encoding can show."""
    try:
        "".join(_UNICODE).encode(encoding)
    except UnicodeEncodeError:
        return _ASCII
    return _UNICODE


def tree(root: Request, descendants: Iterable[Request], name: Callable[[str], str]) -> Json:
    """Return a request as a tree: some of its fields, the name of its ``function``, and its
    ``children``, which are trees. ``name`` returns a function's name by its id.

    A descendant whose parent is not among them is a child of the root.
    """
    top = _node(root, name)
    found = [(each.parent_id, _node(each, name)) for each in descendants]
    nodes = {node["request_id"]: node for _, node in found} | {top["request_id"]: top}
    for parent_id, node in found:
        nodes.get(parent_id or "", top)["children"].append(node)
    return top


def drawn(top: Json, marked: str, branches: Branches) -> Iterator[str]:
    """Yield the lines of a tree, a request each; an arrow points at the one that is ``marked``."""
    rows = list(_rows(top, "", "", branches))
    width = max(len(label) for label, _ in rows)
    state_width = max(len(_state(node)) for _, node in rows)
    for label, node in rows:
        arrow = "  <--" if node["request_id"] == marked else ""
        state = f"{_state(node):{state_width}}  {_time(node):>11}"
        yield f"{label:{width}}  {state}  {node['request_id']}{arrow}\n"


def _node(request: Request, name: Callable[[str], str]) -> Json:
    shown = {field: getattr(request, field) for field in _SHOWN}
    return {**shown, "function": name(request.function_id), "children": []}


def _rows(node: Json, before: str, under: str, branches: Branches) -> Iterator[tuple[str, Json]]:
    """Yield a tree's requests with what stands left of them, the name included. ``before`` stands
    there of the first, ``under`` of those below it.
    """
    yield before + node["function"], node
    for child in node["children"]:
        last = child is node["children"][-1]
        yield from _rows(
            child,
            under + (branches.last if last else branches.fork),
            under + (branches.none if last else branches.by),
            branches,
        )


def _state(node: Json) -> str:
    reason = node["reason"]
    return str(node["status"]) if reason is None else f"{node['status']}: {reason}"


def _time(node: Json) -> str:
    return "-" if node["run_ms"] is None else f"{node['run_ms']:.1f} ms"
