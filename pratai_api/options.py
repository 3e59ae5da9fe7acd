"""The options of the libraries that the API is built with, and where their defaults are ours."""

import copy
from typing import Any

from keystoneauth1 import loading
from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi
from oslo_middleware.healthcheck import opts as healthcheck
from oslo_policy import opts as policy

Options = list[tuple[str, list[cfg.Opt]]]
_DEFAULTS: dict[str, dict[str, Any]] = {
    "keystone_authtoken": {
        "http_connect_timeout": 5,
        "http_request_max_retries": 1,
        "service_token_roles_required": True,
        "service_type": "function",
        "token_cache_time": 60,
    },
    "cors": {
        "allow_headers": [
            "Content-Type",
            "Idempotency-Key",
            "X-Auth-Token",
            "X-Openstack-Request-Id",
        ],
        "allow_methods": ["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
        "expose_headers": ["X-Openstack-Request-Id", "X-Pratai-Request-Id", "Retry-After"],
    },
}
"""A revoked token is refused after ``token_cache_time`` at the latest; a Keystone that hangs or is
away does not hold a thread of the API's for long. Only a user with a service's role passes for a
service: in older releases of keystonemiddleware anybody did.
"""


def list_opts() -> Options:
    """Return the options by group, for oslo-config-generator."""
    options = copy.deepcopy(_options())
    for group, opts in options:
        cfg.set_defaults(opts, **_DEFAULTS.get(group, {}))
    password = loading.get_auth_plugin_conf_options("password")
    return [*options, ("keystone_authtoken", password)]


def register(conf: cfg.ConfigOpts) -> None:
    """Let a configuration have these options."""
    for group, opts in _options():
        conf.register_opts(opts, group=group)
    for group, values in _DEFAULTS.items():
        for name, value in values.items():
            conf.set_default(name, value, group=group)


def _options() -> Options:
    backends = [each for each in healthcheck.HEALTHCHECK_OPTS if each.name == "backends"]
    return [
        *auth_token.list_opts(),
        *policy.list_opts(),
        ("cors", cors.CORS_OPTS),
        ("oslo_middleware", http_proxy_to_wsgi.OPTS),
        ("healthcheck", [*backends, *healthcheck.DISABLE_BY_FILE_OPTS]),
    ]
