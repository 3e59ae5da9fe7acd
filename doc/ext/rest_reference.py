"""The REST reference, made from the API's own OpenAPI document whenever the documents are built.

``.. rest-routes::`` is a table of all routes, ``.. rest-operations::`` tells each in full, and ``..
rest-shapes::`` what their bodies look like. There is no copy that could be of another release.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from http import HTTPStatus
from itertools import groupby
from typing import Any

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from pratai_api import event_sources, openapi
from pratai_api.routes import ROUTES

Schema = dict[str, Any]
_RUNTIMES = ("python3", "nodejs")
_OF_THE_SERVICE = ("", "openapi.json", "status", "cluster")
_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
)


@cache
def document() -> Schema:
    """Return the document of an installation with Keystone, and the runtimes of this release."""
    return openapi.document(ROUTES, _RUNTIMES, event_sources.load(), secured=True)


def routes() -> Iterator[str]:
    """Yield the table of routes, as reStructuredText."""
    rows = (
        (f":ref:`{method} {path} <rest-op-{described['operationId']}>`", described["summary"])
        for method, path, described in _operations()
    )
    yield from _table(("route", "what it does"), (45, 55), rows)


def operations() -> Iterator[str]:
    """Yield each route in full, by noun."""
    rules = {(route.method, route.documented_path): route.rule for route in ROUTES}
    for noun, group in groupby(_operations(), key=lambda each: _noun(each[1])):
        yield from _title(noun, "-")
        for method, path, described in group:
            yield from _operation(method, path, described, rules[method, path])


def shapes() -> Iterator[str]:
    """Yield what bodies and answers look like, by name."""
    for name, schema in sorted(document()["components"]["schemas"].items()):
        yield from (f".. _{_label(name)}:", "")
        yield from _title(name, "-")
        yield from (schema.get("description", ""), "")
        fields = schema.get("properties", {})
        if not fields:
            yield from (f"{_kind(schema)}.", "")
        needed = schema.get("required", ())
        yield from _table(
            ("field", "what", "default"),
            (25, 55, 20),
            (
                (f"``{field}``", _kind(each), _default(each, field in needed))
                for field, each in fields.items()
            ),
        )


def _operations() -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document()["paths"].items():
        for method, described in methods.items():
            yield method.upper(), path, described


def _noun(path: str) -> str:
    """Return what the routes of a path have in common."""
    parts = path.split("/")
    named = parts[2] if len(parts) > 2 else ""
    return "The service" if named in _OF_THE_SERVICE else named.capitalize()


def _operation(method: str, path: str, described: Schema, rule: Any) -> Iterator[str]:
    yield from (f".. _rest-op-{described['operationId']}:", "")
    yield from _title(f"{method} {path}", "~")
    yield from (described["description"], "")
    who = f"the rule ``{rule}``" if isinstance(rule, str) else rule.value
    yield from (f"Who may: {who}.", "")
    yield from _table(
        ("parameter", "in", "what", "default"),
        (20, 10, 50, 20),
        (
            (f"``{each['name']}``", each["in"], _kind(each["schema"]),
             _default(each["schema"], each["required"]))
            for each in described["parameters"]
        ),
    )  # fmt: skip
    for kind, body in described.get("requestBody", {}).get("content", {}).items():
        yield from (f"Body, ``{kind}``: {_body(body['schema'])}.", "")
    yield from _answers(described["responses"])


def _body(schema: Schema) -> str:
    """Return what a body is; the fields of a form are told one by one."""
    fields = schema.get("properties", {})
    told = "; ".join(f"``{name}``, {_kind(each)}" for name, each in fields.items())
    return told or _kind(schema)


def _answers(responses: dict[str, Schema]) -> Iterator[str]:
    """Yield what is answered; whatever is refused has one shape, so its codes are a list."""
    for code, response in responses.items():
        if int(code) < 400:
            contents = [_kind(each["schema"]) for each in response.get("content", {}).values()]
            yield from (f"``{code}`` {HTTPStatus(int(code)).phrase}: {_or(contents)}.", "")
    refusals = ", ".join(f"``{code}``" for code in sorted(responses) if int(code) >= 400)
    yield from (f"Refusals (:ref:`Failure <{_label('Failure')}>`): {refusals}.", "")


def _or(contents: list[str]) -> str:
    return " or ".join(contents) or "no body"


def _kind(schema: Schema) -> str:
    """Return what a schema takes, for people."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f":ref:`{name} <{_label(name)}>`"
    if "anyOf" in schema:
        return _or(list(dict.fromkeys(_kind(each) for each in schema["anyOf"])))
    if "enum" in schema:
        return ", ".join(f"``{value}``" for value in schema["enum"])
    return ", ".join(each for each in (_plain(schema), *_bounds(schema)) if each)


def _plain(schema: Schema) -> str:
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    values = schema.get("additionalProperties")
    if kind == "object" and isinstance(values, dict):
        return f"object of {_kind(values)}"
    return {"date-time": "time", "binary": "bytes"}.get(schema.get("format", ""), kind)


def _bounds(schema: Schema) -> Iterator[str]:
    for least, most, unit in _BOUNDS:
        if least in schema and most in schema:
            yield f"{schema[least]} to {schema[most]}{unit}"
        elif least in schema:
            yield f"at least {schema[least]}{unit}"
        elif most in schema:
            yield f"at most {schema[most]}{unit}"
    if "pattern" in schema:
        yield f"as ``{schema['pattern']}``"


def _default(schema: Schema, needed: bool) -> str:
    if needed:
        return "needed"
    return f"``{json.dumps(schema['default'])}``" if schema.get("default") is not None else ""


def _label(name: str) -> str:
    return f"rest-shape-{name.lower()}"


def _title(text: str, line: str) -> tuple[str, str, str]:
    return text, line * len(text), ""


def _table(
    header: tuple[str, ...], widths: tuple[int, ...], rows: Iterable[tuple[str, ...]]
) -> Iterator[str]:
    """Yield a table, or nothing where there are no rows."""
    lines = list(rows)
    if not lines:
        return
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield f"   :widths: {' '.join(map(str, widths))}"
    yield ""
    for row in (header, *lines):
        for number, cell in enumerate(row):
            yield f"   {' ' if number else '*'} - {cell}"
    yield ""


class _Routes(SphinxDirective):
    """Puts what one of the functions above yields into a page."""

    lines = staticmethod(routes)

    def run(self) -> list[Node]:
        """See Sphinx."""
        return self.parse_text_to_nodes("\n".join(self.lines()), allow_section_headings=True)


class _Operations(_Routes):
    lines = staticmethod(operations)


class _Shapes(_Routes):
    lines = staticmethod(shapes)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directives; see Sphinx."""
    app.add_directive("rest-routes", _Routes)
    app.add_directive("rest-operations", _Operations)
    app.add_directive("rest-shapes", _Shapes)
    return {"parallel_read_safe": True}
