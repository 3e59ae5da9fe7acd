"""The OpenAPI 3.1 document: made from the rows of ``routes.ROUTES`` and the shapes they name."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from flask import Response, current_app

from pratai_api import event_schemas, schemas, views
from pratai_api.caller import OF_KEYS
from pratai_common.event_settings import Settings
from pratai_common.node_urls import CLAIM_HEADER

EXTENSION = "pratai.openapi"
COMMON_REFUSALS = (414, 431, 500, 503)
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_REF = "#/components/schemas/{name}"
_HTTP_REQUEST_ID = "X-Openstack-Request-Id"
_REQUEST_ID = "X-Pratai-Request-Id"
_HEADER_CHARACTERS = {CLAIM_HEADER: 1024}
Schema = dict[str, Any]
_SECURITY: Schema = {
    "securitySchemes": {
        "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
        "key": {"type": "http", "scheme": "bearer"},
    }
}


class NoToken(Enum):
    """Why a route asks for no token."""

    ANONYMOUS = "anybody may call it"
    SIGNED = "its address or its headers carry a signature, which its handler checks"


class Route(NamedTuple):
    """A row of the table of routes.

    ``answers`` are shapes by status: ``str`` is text, ``bytes`` anything, ``object`` any JSON,
    ``None`` no body.
    ``rule`` is that of ``policies`` which the caller must pass. Where ``public``, the handler asks
    for it, unless what is called is public.
    ``body`` are the shapes one of which is sent, ``headers`` those that mean something, and
    ``refuses`` the statuses of the route's own refusals.
    """

    method: str
    path: str
    handler: Callable[..., Response]
    answers: Mapping[int, Any]
    rule: str | NoToken
    query: type | None = None
    body: tuple[Any, ...] = ()
    headers: tuple[str, ...] = ()
    refuses: tuple[int, ...] = ()
    public: bool = False

    @property
    def documented_path(self) -> str:
        """Return the path as documents write it."""
        return _PARAMETER.sub(r"{\1}", self.path)

    @property
    def parameters(self) -> list[str]:
        """Return the names in the path."""
        return _PARAMETER.findall(self.path)

    @property
    def name(self) -> str:
        """Return the operation's id."""
        noun = self.handler.__module__.rsplit(".", 1)[-1]
        return f"{noun}_{self.handler.__name__}_{self.method.lower()}"


def serve() -> Response:
    """Answer this document."""
    return Response(current_app.extensions[EXTENSION], mimetype="application/json")


def document(
    routes: Iterable[Route],
    runtimes: Iterable[str],
    sources: Mapping[str, type[Settings]],
    secured: bool = False,
) -> Schema:
    """Return the document of these routes, where these runtimes are configured and events have
    these sources, and where calls need a token of Keystone.
    """
    routes = list(routes)
    schemas_by_type, components = _components(routes, sources.values())
    _tell_sources(components, sources, schemas_by_type)
    components[schemas.FunctionCreate.__name__]["properties"]["runtime"]["enum"] = [*runtimes]
    paths: dict[str, Schema] = {}
    for route in routes:
        operation = _Operation(route, routes, schemas_by_type, components).build()
        if secured and isinstance(route.rule, str):
            _secure(operation, route)
        paths.setdefault(route.documented_path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pratai", "version": "1.0", "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": components, **(_SECURITY if secured else {})},
    }


def _tell_sources(
    components: dict[str, Schema],
    sources: Mapping[str, type[Settings]],
    schemas_by_type: Mapping[Any, Schema],
) -> None:
    """Say which sources events may have, and what their settings are."""
    settings = {"anyOf": [schemas_by_type[each] for each in sources.values()]}
    created = components[event_schemas.EventCreate.__name__]["properties"]
    created["source"]["enum"] = [*sources]
    for shape in (created, components[event_schemas.EventUpdate.__name__]["properties"]):
        shape["settings"] |= settings


def _secure(operation: Schema, route: Route) -> None:
    """Say of an operation that it needs a token, or an API key, and what it is refused with."""
    by_key: list[Schema] = [{"key": []}] if route.rule in OF_KEYS else []
    operation["security"] = [{"token": []}, *by_key, *([{}] if route.public else [])]
    for code in (401, 403):
        operation["responses"][str(code)] = operation["responses"]["500"] | {
            "description": HTTPStatus(code).phrase
        }


def _components(
    routes: list[Route], more: Iterable[type]
) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """Return the schema of each shape, and of more, and the components that these refer to."""
    types: list[Any] = [views.Failure, *more]
    for route in routes:
        types += [shape for shape in route.answers.values() if _is_struct(shape)]
        types += [shape for shape in map(_json_shape, route.body) if shape is not None]
        types += [route.query] if route.query is not None else []
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template=_REF)
    return dict(zip(unique, found, strict=True)), components


def _json_shape(body: Any) -> Any:
    """Return the shape of what is JSON in a body, ``None`` where nothing is known to be."""
    if isinstance(body, schemas.Upload):
        return body.metadata
    return None if isinstance(body, schemas.Anything) else body


def _is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct)


class _Operation:
    """Makes the description of one route."""

    def __init__(
        self,
        route: Route,
        routes: list[Route],
        schemas_by_type: dict[Any, Schema],
        components: dict[str, Schema],
    ) -> None:
        self._route = route
        self._routes = routes
        self._schemas = schemas_by_type
        self._components = components

    def build(self) -> Schema:
        route = self._route
        text = " ".join((route.handler.__doc__ or "").split())
        operation: Schema = {
            "operationId": route.name,
            "summary": text.split(". ")[0].split(": ")[0].rstrip("."),
            "description": text,
            "parameters": [*self._path(), *self._query(), *self._headers()],
            "responses": self._responses(),
        }
        if route.body:
            required = not isinstance(route.body[0], schemas.Anything)
            operation["requestBody"] = {"required": required, "content": self._content()}
        return operation

    def _path(self) -> list[Schema]:
        schema = {"type": "string", "minLength": 1}
        return [
            {"name": name, "in": "path", "required": True, "schema": schema}
            for name in self._route.parameters
        ]

    def _query(self) -> list[Schema]:
        if self._route.query is None:
            return []
        shape = self._components[self._route.query.__name__]
        required = shape.get("required", ())
        return [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in shape["properties"].items()
        ]

    def _headers(self) -> list[Schema]:
        return [
            {"name": name, "in": "header", "required": False, "schema": _header_schema(name)}
            for name in self._route.headers
        ]

    def _content(self) -> Schema:
        content: Schema = {}
        for shape in self._route.body:
            if isinstance(shape, schemas.Anything):
                content |= {name: {"schema": each} for name, each in shape.content.items()}
            elif isinstance(shape, schemas.Upload):
                content["multipart/form-data"] = self._form(shape)
            else:
                content["application/json"] = {"schema": self._schemas[shape]}
        return content

    def _form(self, upload: schemas.Upload) -> Schema:
        return {
            "schema": {
                "type": "object",
                "properties": {
                    "metadata": self._schemas[upload.metadata],
                    "zip_file": {"type": "string", "format": "binary"},
                },
                "required": ["metadata", "zip_file"] if upload.metadata_required else ["zip_file"],
            },
            "encoding": {
                "metadata": {"contentType": "application/json"},
                "zip_file": {"contentType": "application/zip"},
            },
        }

    def _responses(self) -> Schema:
        responses: Schema = {}
        for code, shape in self._route.answers.items():
            response = self._response(code, shape)
            links = self._links(shape) if self._route.method == "POST" else {}
            if links:
                response["links"] = links
            responses[str(code)] = response
        for code in sorted({*self._route.refuses, *COMMON_REFUSALS}):
            responses[str(code)] = self._response(code, views.Failure)
        return responses

    def _response(self, code: int, shape: Any) -> Schema:
        headers = {_HTTP_REQUEST_ID: _header("the HTTP request")}
        if views.Accepted in self._route.answers.values() and code < 300:
            headers[_REQUEST_ID] = _header("the function request")
        response: Schema = {"description": HTTPStatus(code).phrase, "headers": headers}
        if shape is str:
            response["content"] = {"text/plain": {"schema": {"type": "string"}}}
        elif shape is bytes:
            response["content"] = {"application/octet-stream": {"schema": {}}}
        elif shape is object:
            response["content"] = {"application/json": {"schema": {}}}
        elif shape is not None:
            response["content"] = {"application/json": {"schema": self._schemas[shape]}}
        return response

    def _links(self, shape: Any) -> Schema:
        """Link what a POST made, which its answer names first, to every operation on it."""
        fields = getattr(shape, "__struct_fields__", ())
        return {
            other.name: {
                "operationId": other.name,
                "parameters": {name: f"$response.body#/{name}" for name in other.parameters},
            }
            for other in self._routes
            if fields and fields[0] in other.parameters and set(other.parameters) <= set(fields)
        }


def _header_schema(name: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": _HEADER_CHARACTERS.get(name, 255)}


def _header(what: str) -> Schema:
    return {"description": f"id of {what}", "required": True, "schema": {"type": "string"}}
