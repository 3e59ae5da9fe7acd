"""The options of the middleware that every API stands behind, and where their defaults are ours."""

from typing import Any

from oslo_config import cfg
from oslo_middleware import cors, http_proxy_to_wsgi
from oslo_middleware.healthcheck import opts as healthcheck

Options = list[tuple[str, list[cfg.Opt]]]
DEFAULTS: dict[str, dict[str, Any]] = {
    "cors": {
        "allow_headers": [
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "X-Auth-Token",
            "X-Openstack-Request-Id",
        ],
        "allow_methods": ["GET", "POST", "PATCH", "DELETE", "OPTIONS"],
        "expose_headers": ["X-Openstack-Request-Id", "X-Pratai-Request-Id", "Retry-After"],
    },
}


def options() -> Options:
    """Return the options by group, with the defaults of their libraries."""
    backends = [each for each in healthcheck.HEALTHCHECK_OPTS if each.name == "backends"]
    return [
        ("cors", cors.CORS_OPTS),
        ("oslo_middleware", [*http_proxy_to_wsgi.OPTS]),
        ("healthcheck", [*backends, *healthcheck.DISABLE_BY_FILE_OPTS]),
    ]


def register(conf: cfg.ConfigOpts) -> None:
    """Let a configuration have these options."""
    register_all(conf, options(), DEFAULTS)


def register_all(
    conf: cfg.ConfigOpts, options: Options, defaults: dict[str, dict[str, Any]]
) -> None:
    """Let a configuration have options of libraries, with defaults of ours."""
    for group, opts in options:
        conf.register_opts(opts, group=group)
    for group, values in defaults.items():
        for name, value in values.items():
            conf.set_default(name, value, group=group)
