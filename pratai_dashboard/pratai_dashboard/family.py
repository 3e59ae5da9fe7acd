"""A chain of requests as a drawing: the first one at the left, a line to each that it caused. Pure:
no Django, no API.
"""

from typing import Any, NamedTuple

Json = dict[str, Any]
_COLUMN, _ROW = 230, 46
_WIDTH, _HEIGHT = 200, 34
_BEND = 15


class Node(NamedTuple):
    """A request in the drawing: a box, whose corner is here, and what is written in it."""

    x: int
    y: int
    request: Json


class Drawing(NamedTuple):
    """The whole, of this size; boxes are of ``box_width`` and ``box_height``, and edges are paths
    as SVG says them.
    """

    width: int
    height: int
    box_width: int
    box_height: int
    nodes: list[Node]
    edges: list[str]


def draw(root: Json) -> Drawing:
    """Draw a tree of requests, as ``prataiclient.chain.tree`` makes it. A first child stands beside
    its parent, and every other one in a row of its own.
    """
    nodes: list[Node] = []
    _place(root, 0, 0, nodes)
    at = {node.request["request_id"]: node for node in nodes}
    edges = [
        _edge(node, at[child["request_id"]]) for node in nodes for child in node.request["children"]
    ]
    width = max(node.x for node in nodes) + _WIDTH + 1
    height = max(node.y for node in nodes) + _HEIGHT + 1
    return Drawing(width, height, _WIDTH, _HEIGHT, nodes, edges)


def _place(request: Json, depth: int, row: int, nodes: list[Node]) -> int:
    """Place a request and what it caused; returns the last row that they take."""
    nodes.append(Node(1 + depth * _COLUMN, 1 + row * _ROW, request))
    last = row
    for place, child in enumerate(request["children"]):
        last = _place(child, depth + 1, last + (place > 0), nodes)
    return last


def _edge(parent: Node, child: Node) -> str:
    x, y = parent.x + _WIDTH, parent.y + _HEIGHT // 2
    return f"M{x} {y} H{x + _BEND} V{child.y + _HEIGHT // 2} H{child.x}"
