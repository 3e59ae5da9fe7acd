"""The options of all the libraries that the API is built with, for oslo-config-generator."""

import copy

from keystoneauth1 import loading
from oslo_config import cfg

from pratai_api import keystone_options, middleware_options
from pratai_api.middleware_options import Options


def list_opts() -> Options:
    """Return the options by group, with our defaults."""
    options = copy.deepcopy([*keystone_options.options(), *middleware_options.options()])
    defaults = {**keystone_options.DEFAULTS, **middleware_options.DEFAULTS}
    for group, opts in options:
        cfg.set_defaults(opts, **defaults.get(group, {}))
    password = loading.get_auth_plugin_conf_options("password")
    return [*options, ("keystone_authtoken", password)]
