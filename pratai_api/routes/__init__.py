"""Every route of the API on one screen; the handlers are in a module a noun.

A row says where a route is, what handles it, what it answers, which rule of the policy its caller
must pass, and what it takes: Flask's rules and the OpenAPI document both come from here. What may
be refused beside ``refuses`` is in ``openapi.COMMON_REFUSALS``.
"""

import msgspec
from flask import Flask
from werkzeug.routing import BaseConverter

from pratai_api import (
    cluster_views,
    event_schemas,
    event_views,
    key_views,
    openapi,
    quota_views,
    schemas,
    secret_views,
    views,
)
from pratai_api.auth import Identity, guarded
from pratai_api.openapi import NoToken, Route
from pratai_api.routes import (
    calls,
    cluster,
    events,
    functions,
    keys,
    node,
    node_secrets,
    quota,
    requests,
    root,
    secrets,
    subscriptions,
)
from pratai_api.services import Services
from pratai_common.node_urls import ARCHIVES, CLAIM_HEADER, KEY_HEADER, RESULTS, SECRETS

_F, _E, _R, _K = "/v1/functions", "/v1/events", "/v1/requests", "/v1/keys"
_ONE = f"{_F}/<function:function_id>"
_SUB = f"{_ONE}/subscriptions"
_EVENT = f"{_E}/<event_id>"
_S = "/v1/secrets"
_SECRET_REFUSALS = (400, 401, 403)
_ANY, _SIGNED = NoToken.ANONYMOUS, NoToken.SIGNED
_KEY = ("Idempotency-Key",)
_PAGE = schemas.PageQuery
_UPLOAD = schemas.Upload(schemas.FunctionCreate, True)
_REUPLOAD = schemas.Upload(schemas.FunctionSettings, False)
_CALLED = {200: object, 202: views.Accepted}
_CALL_REFUSALS = (400, 404, 409, 413, 422, 429, 502)

ROUTES = [
    Route("GET", "/", root.versions, {200: cluster_views.InterfaceVersions}, _ANY),
    Route("GET", "/v1", root.version, {200: cluster_views.ShownVersion}, _ANY),
    Route("GET", "/healthcheck", root.healthcheck, {200: str}, _ANY),
    Route("GET", "/v1/openapi.json", openapi.serve, {200: object}, _ANY),
    Route("GET", "/v1/status", cluster.status, {200: cluster_views.Components}, _ANY),
    Route("GET", "/v1/cluster", cluster.show, {200: cluster_views.Daemons}, "cluster:get",
          query=_PAGE, refuses=(400,)),
    Route("GET", "/v1/runtimes", cluster.runtimes, {200: cluster_views.Runtimes}, "runtime:list",
          query=_PAGE, refuses=(400,)),
    Route("GET", "/v1/runtimes/<runtime>", cluster.show_runtime, {200: cluster_views.Runtime},
          "runtime:get", refuses=(404,)),
    Route("GET", _F, functions.index, {200: views.Functions}, "function:list",
          query=schemas.FunctionsQuery, refuses=(400,)),
    Route("POST", _F, functions.create, {201: views.Function}, "function:create",
          body=(_UPLOAD,), refuses=(400, 403, 404, 409, 413, 429)),
    Route("GET", f"{_F}/running", functions.running, {200: views.RunningFunctions},
          "function:running", query=_PAGE, refuses=(400,)),
    Route("GET", _ONE, functions.show, {200: views.Function}, "function:get", refuses=(404,)),
    Route("PATCH", _ONE, functions.update, {200: views.Function, 202: views.Version},
          "function:update", body=(schemas.FunctionUpdate, _REUPLOAD),
          refuses=(400, 403, 404, 409, 413, 429)),
    Route("DELETE", _ONE, functions.delete, {204: None}, "function:delete", refuses=(404,)),
    Route("POST", _ONE, calls.execute, _CALLED, "function:call", query=schemas.CallQuery,
          body=(schemas.Call,), headers=_KEY, refuses=_CALL_REFUSALS, public=True),
    Route("POST", f"{_ONE}/stop", functions.stop, {202: views.Stopped}, "function:stop",
          refuses=(404,)),
    Route("GET", f"{_ONE}/versions", functions.versions, {200: views.Versions}, "version:list",
          query=_PAGE, refuses=(400, 404)),
    Route("GET", f"{_ONE}/build-log", functions.build_log, {200: str}, "build_log:get",
          query=schemas.LogsQuery, refuses=(400, 404)),
    Route("GET", _SUB, subscriptions.index, {200: event_views.Subscriptions}, "subscription:list",
          query=_PAGE, refuses=(400, 404)),
    Route("POST", _SUB, subscriptions.create, {201: event_views.Subscription},
          "subscription:create", body=(event_schemas.SubscriptionCreate,),
          refuses=(400, 403, 404, 409, 413)),
    Route("PATCH", f"{_SUB}/<subscription_id>", subscriptions.update,
          {200: event_views.Subscription}, "subscription:update",
          body=(event_schemas.SubscriptionUpdate,), refuses=(400, 404, 409, 413)),
    Route("DELETE", f"{_SUB}/<subscription_id>", subscriptions.delete, {204: None},
          "subscription:delete", refuses=(404,)),
    Route("OPTIONS", "/v1/hooks/<token>", calls.consent, {200: None}, _ANY),
    Route("GET", "/v1/hooks/<token>", calls.receive, _CALLED, _ANY, query=schemas.CallQuery,
          headers=_KEY, refuses=(*_CALL_REFUSALS, 401)),
    Route("POST", "/v1/hooks/<token>", calls.receive, _CALLED, _ANY, query=schemas.CallQuery,
          body=(schemas.Anything(),), headers=_KEY, refuses=(*_CALL_REFUSALS, 401)),
    Route("GET", _E, events.index, {200: event_views.Events}, "event:list",
          query=event_schemas.EventsQuery, refuses=(400,)),
    Route("POST", _E, events.create, {201: event_views.Event}, "event:create",
          body=(event_schemas.EventCreate,), refuses=(400, 403, 409, 413)),
    Route("GET", _EVENT, events.show, {200: event_views.Event}, "event:get", refuses=(404,)),
    Route("PATCH", _EVENT, events.update, {200: event_views.Event}, "event:update",
          body=(event_schemas.EventUpdate,), refuses=(400, 403, 404, 409, 413)),
    Route("DELETE", _EVENT, events.delete, {204: None}, "event:delete", refuses=(404, 409)),
    Route("POST", _EVENT, events.publish, {202: event_views.Published}, "event:publish",
          query=event_schemas.PublishQuery, body=(event_schemas.Publication(),),
          headers=_KEY, refuses=(400, 404, 409, 413, 422, 429)),
    Route("GET", _R, requests.index, {200: views.Requests}, "request:list",
          query=schemas.RequestsQuery, refuses=(400,)),
    Route("GET", f"{_R}/<request_id>", requests.show, {200: views.Request}, "request:get",
          query=schemas.RequestQuery, refuses=(400, 404)),
    Route("DELETE", f"{_R}/<request_id>", requests.cancel, {202: views.Request}, "request:cancel",
          refuses=(404, 409)),
    Route("GET", f"{_R}/<request_id>/logs", requests.logs_of, {200: str}, "request:logs",
          query=schemas.LogsQuery, refuses=(400, 404)),
    Route("POST", f"{_R}/<request_id>/replay", requests.replay, {202: views.Accepted},
          "request:replay", headers=_KEY, refuses=(400, 404, 409, 422, 429)),
    Route("GET", _K, keys.index, {200: key_views.ApiKeys}, "key:list", query=_PAGE,
          refuses=(400,)),
    Route("POST", _K, keys.create, {201: key_views.NewApiKey}, "key:create",
          body=(schemas.KeyCreate,), refuses=(400, 403, 404, 413)),
    Route("DELETE", f"{_K}/<prefix>", keys.delete, {204: None}, "key:delete", refuses=(404,)),
    Route("GET", "/v1/quota", quota.show, {200: quota_views.Quotas}, "quota:get",
          query=schemas.QuotaQuery, refuses=(400, 403)),
    Route("GET", _S, secrets.index, {200: secret_views.Secrets}, "secret:list", query=_PAGE,
          refuses=_SECRET_REFUSALS),
    Route("POST", _S, secrets.create, {201: secret_views.Secret}, "secret:create",
          body=(schemas.SecretPut,), refuses=(*_SECRET_REFUSALS, 409, 413)),
    Route("GET", f"{_S}/<name>", secrets.show, {200: secret_views.SecretValue}, "secret:get",
          refuses=(*_SECRET_REFUSALS, 404)),
    Route("DELETE", f"{_S}/<name>", secrets.delete, {204: None}, "secret:delete",
          refuses=(*_SECRET_REFUSALS, 404, 409)),
    Route("GET", SECRETS, node_secrets.give, {200: bytes}, _SIGNED, query=schemas.SecretsQuery,
          headers=(CLAIM_HEADER, KEY_HEADER), refuses=(400, 403, 404, 409)),
    Route("GET", f"{ARCHIVES}/<sha256>", node.archive, {200: bytes}, _SIGNED,
          query=schemas.SignedQuery, refuses=(400, 403, 404)),
    Route("POST", RESULTS, node.keep, {200: views.Kept}, _SIGNED, body=(schemas.Anything(),),
          headers=(CLAIM_HEADER,), refuses=(400, 403, 413)),
]  # fmt: skip


class _FunctionId(BaseConverter):
    """An id in a path: whatever a function is not called by its route beside it."""

    regex = "(?!running$)[^/]+"
    part_isolating = True


def register(app: Flask, services: Services, identity: Identity) -> None:
    """Add every route to an application, and the document that describes them all."""
    app.url_map.converters["function"] = _FunctionId
    document = openapi.document(ROUTES, services.runtimes, services.sources, identity.secured)
    app.extensions[openapi.EXTENSION] = msgspec.json.encode(document)
    for route in ROUTES:
        name = f"{route.method} {route.path}"
        app.add_url_rule(route.path, name, guarded(route, identity), methods=[route.method])
