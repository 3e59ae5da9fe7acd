"""What can be told of a Python function by its source: parsed, never run. Pure."""

import ast
from collections.abc import Collection, Iterator, Mapping

from pratai_common.errors import PackageError

MODULE = "new_module.py"
REQUIREMENTS = "requirements.txt"
_HOLD_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
_BODIES_OF_THEIR_OWN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def check(paths: Collection[str], texts: Mapping[str, bytes]) -> None:
    """See Language: ``new_module.py`` is there, and may define ``main``."""
    if MODULE not in paths:
        raise PackageError(f"the zip has no {MODULE} at its root")
    try:
        tree = ast.parse(texts[MODULE], filename=MODULE)
    except SyntaxError as error:
        raise PackageError(f"{MODULE}, line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise PackageError(f"{MODULE} cannot be parsed: {error}") from error
    if any(isinstance(node, ast.AsyncFunctionDef) and node.name == "main" for node in tree.body):
        raise PackageError(f"{MODULE}: main is a coroutine function; it must be a plain one")
    if not any(_defines_main(node) for node in _statements(tree)):
        raise PackageError(f"{MODULE} defines no main(payload=None)")


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that may run with the module itself, also those in an ``if`` or ``try``.

    Without recursion: each ``elif`` lies in the one before it.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, _BODIES_OF_THEIR_OWN):
            inner = ast.iter_child_nodes(node)
            waiting += (each for each in inner if isinstance(each, _HOLD_STATEMENTS))


def _defines_main(node: ast.stmt) -> bool:
    """Say whether a statement by itself may bind ``main``; a star import may."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name == "main"
    if isinstance(node, ast.Import | ast.ImportFrom):
        return any((name.asname or name.name) in ("main", "*") for name in node.names)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Name) and target.id == "main" for target in targets)
    return False
