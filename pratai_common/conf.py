"""Every option of every service, and the one way to load them.

``etc/pratai.conf.sample`` is generated from this by ``deploy/sample.sh``. A ConfigOpts object is
passed to whoever needs it; there is no global one.
"""

import ipaddress
import logging
import os
import socket
from pathlib import Path

from oslo_config import cfg, types
from oslo_log import log

from pratai_common.log_context import REQUEST_FORMAT, one_line


class _Network(types.String):
    """An IP network, as ``10.0.0.0/8``."""

    def __call__(self, value: str) -> str:
        """Return it; raises ValueError for what is none."""
        return str(ipaddress.ip_network(super().__call__(value)))


DEFAULT_OPTS = [
    cfg.StrOpt(
        "installation",
        default="pratai",
        regex="^[a-z0-9][a-z0-9-]{0,30}$",
        help="Name of this installation. Everything made in Docker carries it as a label, and "
        "only what carries it is ever cleaned up.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/pratai",
        help="Folder of everything that must survive a restart: the embedded store, archives, "
        "the key of job tokens, the spool of a node.",
    ),
    cfg.ListOpt(
        "runtimes",
        default=["python3"],
        help="Built-in runtimes that functions may use; nodes make their images at start.",
    ),
    cfg.ListOpt(
        "runtime_folders",
        default=[],
        help="Folders with a Dockerfile each: further runtimes, named as the folders are. The API "
        "and every node need the same ones.",
    ),
    cfg.IntOpt("grace_seconds", default=30, min=0, help="How long a daemon may take to stop."),
]
API_OPTS = [
    cfg.StrOpt("host", default="127.0.0.1", help="Address the API listens on."),
    cfg.PortOpt("port", default=9096, help="Port the API listens on."),
    cfg.IntOpt(
        "threads",
        default=64,
        min=1,
        help="Threads of one API process. Half may wait for results, a quarter follow logs.",
    ),
    cfg.StrOpt(
        "reply_bind",
        default="tcp://127.0.0.1:0",
        help="Where an API process takes the answers that its callers wait for; port 0: any.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="noauth",
        help="How callers are known: noauth (everybody is one user, who may do everything), or "
        "keystone (see [keystone_authtoken]).",
    ),
    cfg.BoolOpt(
        "trust_proxy_ids",
        default=False,
        help="Take it from headers which call this is and whether it is tried again. Only where "
        "nothing but Pratai's nginx reaches this port: it sets them anew on each request.",
    ),
    cfg.BoolOpt(
        "access_log", default=True, help="Whether the API's log has a line for each HTTP request."
    ),
]
NGINX_OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        "listen",
        item_type=types.String(regex=r"^[A-Za-z0-9.:\[\]-]+:[0-9]+$"),
        default=["127.0.0.1:9096"],
        help="Addresses and ports that nginx listens on: for users, and for nodes where they come "
        "by another network.",
    ),
    cfg.StrOpt("certificate", help="TLS certificate with its chain, PEM; without one, plain HTTP."),
    cfg.StrOpt("certificate_key", help="Its key, PEM."),
    cfg.ListOpt(
        "apis",
        item_type=types.String(regex=r"^[A-Za-z0-9.:\[\]-]+:[0-9]+$"),
        default=["127.0.0.1:9097", "127.0.0.1:9098", "127.0.0.1:9099"],
        help="Addresses and ports of the API processes behind nginx.",
    ),
    cfg.ListOpt(
        "node_networks",
        default=["127.0.0.0/8"],
        help="Networks of the nodes: /v1/node answers there and nowhere else.",
    ),
    cfg.StrOpt(
        "site_path",
        default="/etc/nginx/conf.d/pratai.conf",
        help="Where nginx reads what pratai-nginx-conf prints. A rolling restart marks in it "
        "which API process is down.",
    ),
    cfg.StrOpt(
        "access_log",
        default="/var/log/nginx/pratai.log",
        help="Where nginx writes a line for each request, without tokens of endpoints.",
    ),
    cfg.StrOpt(
        "command",
        default="nginx",
        help="How nginx is run, with the arguments that name its configuration; -t and "
        "-s reload are added.",
    ),
    cfg.IntOpt(
        "drain_seconds",
        default=960,
        min=0,
        help="How long a rolling restart waits for what an API process still answers: a log is "
        "followed for as long as a run may take.",
    ),
]
LAUNCHER_OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        "programs",
        default=[
            "pratai-collector",
            "pratai-scheduler",
            "pratai-driver",
            "pratai-api",
            "pratai-agent",
        ],
        help="What the launcher runs, in this order, and stops last first. Of a program that "
        "runs several times each instance has a name, as pratai-api@1, and reads "
        "pratai-api@1.conf, beside the last configuration file, after all others.",
    ),
]
SOCKET_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "scheduler", default="tcp://127.0.0.1:5557", help="Where the scheduler takes messages."
    ),
    cfg.StrOpt(
        "collector", default="tcp://127.0.0.1:5556", help="Where the collector takes results."
    ),
    cfg.StrOpt(
        "scheduler_bind", help="Address the scheduler binds, if not the one others connect to."
    ),
    cfg.StrOpt(
        "collector_bind", help="Address the collector binds, if not the one others connect to."
    ),
]
SCHEDULER_OPTS: list[cfg.Opt] = [
    cfg.FloatOpt("sweep_seconds", default=1.0, min=0.05, help="How often the store is swept."),
    cfg.FloatOpt(
        "node_lease_seconds",
        default=10.0,
        min=0.5,
        help="A node that was silent for this long is lost, and what it ran is repeated.",
    ),
    cfg.FloatOpt(
        "lease_seconds",
        default=5.0,
        min=0.5,
        help="A scheduler that did not renew its lease for this long is replaced by a standby.",
    ),
    cfg.FloatOpt(
        "settle_seconds",
        default=2.0,
        min=0.0,
        help="How long a new scheduler waits for nodes to say what they run.",
    ),
    cfg.FloatOpt(
        "adopt_seconds",
        default=5.0,
        min=0.1,
        help="A job that its node does not hold after this long was lost on its way.",
    ),
]
DRIVER_OPTS = [
    cfg.StrOpt(
        "name",
        default=socket.gethostname(),
        sample_default="<hostname>",
        regex="^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        help="This node's name, unique.",
    ),
    cfg.StrOpt(
        "bind", default="tcp://127.0.0.1:5558", help="Where this node takes jobs; port 0: any."
    ),
    cfg.StrOpt("engine", default="docker", help="Container engine: docker, or null (does nothing)"),
    cfg.IntOpt("slots", default=4, min=1, help="Runs and builds at a time."),
    cfg.IntOpt("memory", default=4096, min=64, help="Memory for runs and builds, MB."),
    cfg.FloatOpt("heartbeat_seconds", default=1.0, min=0.05, help="How often a node says it lives"),
    cfg.FloatOpt(
        "start_seconds", default=60.0, min=1.0, help="A container must have started within this."
    ),
    cfg.FloatOpt(
        "sweep_seconds",
        default=30.0,
        min=0.1,
        help="How often a node looks for what dead nodes have left in its container engine.",
    ),
    cfg.IntOpt("pids", default=128, min=8, help="Processes and threads in a container."),
    cfg.IntOpt("tmp_mb", default=64, min=1, help="A container's /tmp, MB, counted as memory."),
    cfg.ListOpt(
        "deny",
        default=["169.254.0.0/16"],
        help="Networks that containers may not reach, besides every address of the host and the "
        "addresses of the scheduler and the collector.",
    ),
]
BUILD_OPTS = [
    cfg.StrOpt("ca_bundle", help="CA bundle that builds trust; mounted, never in a layer."),
    cfg.StrOpt("pip_index_url", help="Package index for builds."),
    cfg.StrOpt("pip_extra_index_url", help="Further package index for builds."),
    cfg.StrOpt("pip_find_links", help="Folder on the node, or URL, with packages for builds."),
    cfg.StrOpt(
        "network",
        default="bridge",
        help="Network of builds: bridge (Pratai's own, with its rules), none, or the name of a "
        "Docker network.",
    ),
    cfg.IntOpt("timeout", default=600, min=1, help="A build must end within this many seconds."),
    cfg.IntOpt("memory", default=1024, min=64, help="Memory of a build, MB."),
    cfg.FloatOpt("cpus", default=2.0, min=0.1, help="Processors of a build."),
    cfg.IntOpt("pids", default=512, min=8, help="Processes and threads of a build."),
    cfg.IntOpt(
        "disk_mb",
        default=4096,
        min=16,
        help="What a build may add to its base, MB; looked at about every half second.",
    ),
    cfg.StrOpt(
        "seed_image",
        default="debian:bookworm-slim",
        help="Base of the runtimes, taken from a registry if it answers within seed_seconds; "
        "else mmdebstrap makes one from this machine's own apt sources.",
    ),
    cfg.IntOpt("seed_seconds", default=10, min=1, help="How long a registry may take to give it."),
]
AGENT_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "sources",
        default=200,
        min=0,
        help="Events whose source one agent serves at a time, a thread each. Where more want to "
        "be, projects get equal shares. With 0 an agent fires timers, and leaves events alone.",
    ),
    cfg.ListOpt(
        "deny_networks",
        default=["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/128", "::1/128", "fe80::/10"],
        item_type=_Network(),
        help="Networks that events of users may not connect to. The addresses that a host stands "
        "for are what is looked at. Name your control plane's here.",
    ),
]
QUOTA_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "events",
        default=20,
        min=0,
        help="Events with a source that a project may have: each takes one of the places that "
        "[agent] sources names, and keeps it until it is cleaned up after its deletion.",
    ),
    cfg.IntOpt(
        "published_events",
        default=200,
        min=0,
        help="Events that only the API publishes on that a project may have.",
    ),
    cfg.IntOpt(
        "timers",
        default=100,
        min=0,
        help="Timers that the functions of a project may have together, enabled or not.",
    ),
]
NOTIFICATIONS_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "host",
        help="Broker (AMQP 0.9.1) that the services of OpenStack publish their notifications on. "
        "Without one, events of the source notification cannot be served.",
    ),
    cfg.PortOpt("port", default=5672, help="Its port."),
    cfg.StrOpt("virtual_host", default="/", help="The virtual host of it that they use."),
    cfg.StrOpt("username", default="pratai", help="User who may read and bind there."),
    cfg.StrOpt("password", secret=True, help="The user's password."),
    cfg.BoolOpt("tls", default=False, help="Whether to connect by TLS."),
    cfg.StrOpt("ca_bundle", help="CA bundle that it is verified by; default: the system's."),
]
STORE_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "driver",
        default="sqlite",
        help="Store: sqlite (one machine, one file), or elasticsearch (a cluster).",
    ),
    cfg.StrOpt("sqlite_path", help="The database file; default: store.sqlite in state_path."),
    cfg.IntOpt(
        "retention_days",
        default=30,
        min=7,
        help="A request is deleted, with its bodies and logs, when it ended so many days ago. For "
        "as long the same cause (an Idempotency-Key, a message's id) makes no second request.",
    ),
    cfg.ListOpt(
        "hosts",
        default=["http://127.0.0.1:9200"],
        item_type=types.URI(schemes=["http", "https"]),
        help="Elasticsearch's nodes, each with its port. Where one cannot be reached, the next is "
        "asked.",
    ),
    cfg.StrOpt(
        "index_prefix",
        default="pratai",
        regex="^[a-z][a-z0-9_]{0,30}$",
        help="What the names of this installation's indices, aliases and templates begin with.",
    ),
    cfg.IntOpt("shards", default=1, min=1, help="Shards of an index that is made from now on."),
    cfg.IntOpt(
        "replicas",
        min=0,
        help="Further copies of each shard, on other nodes; default: 1 where several hosts are "
        "named, 0 for one. pratai-db-init brings indices that exist to it.",
    ),
    cfg.IntOpt(
        "refresh_ms",
        default=1000,
        min=50,
        max=1000,
        help="Lists lag so far behind what is written, milliseconds. Shorter costs the cluster "
        "more.",
    ),
    cfg.FloatOpt(
        "timeout_seconds",
        default=10.0,
        min=1.0,
        help="How long Elasticsearch may take to answer before it counts as unavailable.",
    ),
    cfg.StrOpt("ca_bundle", help="CA bundle that https hosts are verified by; default: certifi's."),
    cfg.StrOpt("username", help="User of Elasticsearch, with password."),
    cfg.StrOpt("password", secret=True, help="The user's password."),
    cfg.StrOpt(
        "api_key",
        secret=True,
        help="API key (encoded, as Elasticsearch shows it) in place of a user.",
    ),
]
ARCHIVES_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "driver", default="filesystem", help="Archives: filesystem, or swift (see [swift])."
    ),
    cfg.StrOpt(
        "node_url",
        help="Where nodes reach the API, nginx's address where that stands before it; default: the "
        "API's host and port. Schedulers, APIs and nodes need the same one.",
    ),
    cfg.IntOpt(
        "url_seconds",
        default=3600,
        min=60,
        help="How long the addresses in a job are valid. Longer than the image of a function may "
        "take on its node, what it waits for there included.",
    ),
    cfg.StrOpt(
        "container", default="pratai", help="The container in Swift, made by pratai-db-init."
    ),
    cfg.FloatOpt(
        "timeout",
        default=30.0,
        min=0.1,
        help="How long Swift, or the API that a node asks, may be silent, seconds.",
    ),
]

_GROUPS: dict[str | None, list[cfg.Opt]] = {
    None: DEFAULT_OPTS,
    "api": API_OPTS,
    "nginx": NGINX_OPTS,
    "launcher": LAUNCHER_OPTS,
    "sockets": SOCKET_OPTS,
    "scheduler": SCHEDULER_OPTS,
    "driver": DRIVER_OPTS,
    "build": BUILD_OPTS,
    "agent": AGENT_OPTS,
    "notifications": NOTIFICATIONS_OPTS,
    "quota": QUOTA_OPTS,
    "store": STORE_OPTS,
    "archives": ARCHIVES_OPTS,
}


def list_opts() -> list[tuple[str | None, list[cfg.Opt]]]:
    """Return the options by group, for oslo-config-generator."""
    return [(group, list(options)) for group, options in _GROUPS.items()]


def load(
    program: str, arguments: list[str], extra_cli: list[cfg.Opt] | None = None
) -> cfg.ConfigOpts:
    """Read the command line and configuration files of a program, and set up its logging.

    Raises SystemExit with usage on the command line's mistakes.
    """
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    for group, options in _GROUPS.items():
        conf.register_opts(options, group=group)
    if extra_cli:
        conf.register_cli_opts(extra_cli)
    conf(arguments, project="pratai", prog=program)
    if conf.log_dir and not conf.log_file:
        Path(conf.log_dir).mkdir(parents=True, exist_ok=True)
        conf.set_default("log_file", f"{program}.log")
    quiet = ("urllib3", "docker", "elastic_transport", "swiftclient", "amqp")
    log.set_defaults(default_log_levels=[f"{library}=WARNING" for library in quiet])
    conf.set_default("instance_uuid_format", REQUEST_FORMAT)
    log.setup(conf, program)
    for handler in logging.getLogger().handlers:
        handler.addFilter(one_line)
    os.umask(0o027)
    return conf


def runtime_names(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """Return the names of all runtimes, built-in and of folders."""
    return (*conf.runtimes, *(Path(folder).name for folder in conf.runtime_folders))


def state_path(conf: cfg.ConfigOpts, *parts: str) -> Path:
    """Return a path below the state folder."""
    return Path(conf.state_path, *parts)


def token_key_path(conf: cfg.ConfigOpts) -> Path:
    """Return where the key of job tokens lies; nodes elsewhere do not have it."""
    return state_path(conf, "keys", "job-tokens")
