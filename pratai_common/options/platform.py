"""Options of all daemons: where they keep what they need, and how they reach one another."""

from oslo_config import cfg

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
        help="Built-in runtimes that functions may use (python3, nodejs); nodes make their images "
        "at start.",
    ),
    cfg.ListOpt(
        "runtime_folders",
        default=[],
        help="Folders with a Dockerfile each: further runtimes, named as the folders are. The API "
        "and every node need the same ones.",
    ),
    cfg.IntOpt("grace_seconds", default=30, min=0, help="How long a daemon may take to stop."),
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
    cfg.ListOpt(
        "scheduler",
        default=["tcp://127.0.0.1:5557"],
        help="Where the schedulers take messages. Each is told everything, and one of them acts.",
    ),
    cfg.ListOpt(
        "collector",
        default=["tcp://127.0.0.1:5556"],
        help="Where the collectors take results. Each result goes to one of those that run.",
    ),
    cfg.StrOpt(
        "scheduler_bind",
        help="Address that this scheduler binds; default: the one others connect to, where they "
        "know but one.",
    ),
    cfg.StrOpt(
        "collector_bind",
        help="Address that this collector binds; default: the one others connect to, where they "
        "know but one.",
    ),
    cfg.StrOpt(
        "security",
        default="curve",
        choices=[
            ("curve", "Encrypted; each daemon proves who it is by its key, see pratai-keys"),
            ("plain", "Neither; for addresses on loopback alone"),
        ],
        help="How daemons speak to one another; the same for all of them.",
    ),
    cfg.StrOpt(
        "keys_path",
        default="/etc/pratai/keys.d",
        help="Folder of the public keys: ROLE.key of scheduler, collector, api and agent, and "
        "node/NAME.key of each node. It is read again while daemons run. A node needs the first "
        "two alone.",
    ),
    cfg.StrOpt(
        "secret_key",
        help="File with the secret key of this daemon; default: in keys_path ROLE.key_secret, of a "
        "node node/NAME.key_secret.",
    ),
]
