"""The one way to load the options of a service, which are in ``pratai_common/options``.

``etc/pratai.conf.sample`` is generated from this by ``deploy/sample.sh``. A ConfigOpts object is
passed to whoever needs it; there is no global one.
"""

import logging
import os
from pathlib import Path

from oslo_config import cfg
from oslo_log import log

from pratai_common.log_context import REQUEST_FORMAT, one_line, plain
from pratai_common.options import api, events, kept, nodes, observing, platform, projects

_GROUPS: dict[str | None, list[cfg.Opt]] = {
    None: platform.DEFAULT_OPTS,
    "api": api.API_OPTS,
    "nginx": api.NGINX_OPTS,
    "launcher": platform.LAUNCHER_OPTS,
    "sockets": platform.SOCKET_OPTS,
    "scheduler": projects.SCHEDULER_OPTS,
    "driver": nodes.DRIVER_OPTS,
    "pool": nodes.POOL_OPTS,
    "build": nodes.BUILD_OPTS,
    "registry": nodes.REGISTRY_OPTS,
    "agent": events.AGENT_OPTS,
    "notifications": events.NOTIFICATIONS_OPTS,
    "quota": projects.QUOTA_OPTS,
    "audit": api.AUDIT_OPTS,
    "functions": projects.FUNCTIONS_OPTS,
    "metrics": observing.METRICS_OPTS,
    "tracing": observing.TRACING_OPTS,
    "store": kept.STORE_OPTS,
    "secrets": kept.SECRETS_OPTS,
    "archives": kept.ARCHIVES_OPTS,
}


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Return the options by group, for oslo-config-generator."""
    return [(group, list(options)) for group, options in _GROUPS.items()]


def registered() -> cfg.ConfigOpts:
    """Return a configuration that knows every option, and has read nothing."""
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    for group, options in _GROUPS.items():
        conf.register_opts(options, group=group)
    return conf


def load(
    program: str, arguments: list[str], extra_cli: list[cfg.Opt] | None = None
) -> cfg.ConfigOpts:
    """Read the command line and configuration files of a program, and set up its logging.

    Raises SystemExit with usage on the command line's mistakes.
    """
    conf = registered()
    if extra_cli:
        conf.register_cli_opts(extra_cli)
    conf(arguments, project="pratai", prog=program)
    if conf.log_dir and not conf.log_file:
        Path(conf.log_dir).mkdir(parents=True, exist_ok=True)
        conf.set_default("log_file", f"{program}.log")
    # keystoneauth shows what is sent, with what is secret of it.
    quiet = ("urllib3", "docker", "elastic_transport", "swiftclient", "amqp", "keystoneauth",
             "barbicanclient")  # fmt: skip
    log.set_defaults(default_log_levels=[f"{library}=WARNING" for library in quiet])
    conf.set_default("instance_uuid_format", REQUEST_FORMAT)
    log.setup(conf, program)
    for handler in logging.getLogger().handlers:
        handler.addFilter(one_line)
        if conf.use_json:
            handler.addFilter(plain)
    os.umask(0o027)
    return conf


def runtime_names(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """Return the names of all runtimes, built-in and of folders."""
    return (*conf.runtimes, *(Path(folder).name for folder in conf.runtime_folders))


def state_path(conf: cfg.ConfigOpts, *parts: str) -> Path:
    """Return a path below the state folder."""
    return Path(conf.state_path, *parts)


def bind_address(conf: cfg.ConfigOpts, role: str) -> str:
    """Return what the scheduler or the collector of this process binds.

    Raises SystemExit where several are named, and nothing says which of them this is.
    """
    own, known = conf.sockets[f"{role}_bind"], conf.sockets[role]
    if own is None and len(known) != 1:
        raise SystemExit(f"[sockets] {role} names {len(known)} addresses: set {role}_bind")
    return str(own or known[0])


def token_key_path(conf: cfg.ConfigOpts) -> Path:
    """Return where the key of job tokens lies; nodes elsewhere do not have it."""
    return state_path(conf, "keys", "job-tokens")
