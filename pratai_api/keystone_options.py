"""The options of the libraries that ask Keystone, and where their defaults are ours. They take long
to import, so that an API that asks nobody does without them.
"""

from typing import Any

from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_policy import opts as policy

from pratai_api.middleware_options import Options, register_all

DEFAULTS: dict[str, dict[str, Any]] = {
    "keystone_authtoken": {
        "http_connect_timeout": 5,
        "http_request_max_retries": 1,
        "service_token_roles_required": True,
        "service_type": "function",
        "token_cache_time": 60,
    },
}
"""A revoked token is refused after ``token_cache_time`` at the latest; a Keystone that hangs or is
away does not hold a thread of the API's for long. Only a user with a service's role passes for a
service: in older releases of keystonemiddleware anybody did.
"""


def options() -> Options:
    """Return the options by group, with the defaults of their libraries."""
    return [*auth_token.list_opts(), *policy.list_opts()]


def register(conf: cfg.ConfigOpts) -> None:
    """Let a configuration have these options."""
    register_all(conf, options(), DEFAULTS)
