"""Options of nodes: what they run, build and keep."""

import socket

from oslo_config import cfg

NODE_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"

DRIVER_OPTS = [
    cfg.StrOpt(
        "name",
        default=socket.gethostname(),
        sample_default="<hostname>",
        regex=NODE_NAME,
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
    cfg.IntOpt(
        "image_disk_mb",
        default=20_480,
        min=0,
        help="Where the images of functions, and their dependencies, take more than this on a "
        "node, MB, those go that were not used for longest. With 0 they may take all there is.",
    ),
    cfg.IntOpt(
        "image_days",
        default=30,
        min=1,
        help="Images that were not used for so many days go in any case.",
    ),
    cfg.IntOpt(
        "unpacked_mb",
        default=2048,
        min=16,
        help="Disk for functions' files that blank containers get, MB; those that were wanted "
        "longest ago go first. What takes more than a quarter is started from its image.",
    ),
    cfg.ListOpt(
        "deny",
        default=["169.254.0.0/16"],
        help="Networks that containers may not reach, besides every address of the host and the "
        "addresses of the scheduler and the collector.",
    ),
]
POOL_OPTS: list[cfg.Opt] = [
    cfg.IntOpt(
        "spares",
        default=8,
        min=0,
        help="Containers of a function that may wait for its events, also where it asks for more. "
        "With 0 none wait, and none is used twice.",
    ),
    cfg.IntOpt(
        "blanks",
        default=1,
        min=0,
        help="Containers of each runtime and network that wait for whatever function comes, once "
        "one has asked for them.",
    ),
    cfg.IntOpt(
        "memory_percent",
        default=50,
        min=0,
        max=100,
        help="Share of [driver] memory that containers which wait may take, as far as no run and "
        "no build wants it.",
    ),
    cfg.IntOpt(
        "starts",
        default=2,
        min=1,
        help="Containers that are started at a time to wait for events. Those that are started "
        "for an event are counted, and come first.",
    ),
    cfg.FloatOpt(
        "idle_seconds",
        default=300.0,
        min=1.0,
        help="How long containers wait for a function that has no events.",
    ),
    cfg.FloatOpt(
        "pinned_seconds",
        default=3600.0,
        min=1.0,
        help="The same, where the function says how many are to wait.",
    ),
    cfg.IntOpt(
        "events",
        default=1000,
        min=1,
        help="Events that a container of the isolation process or shared handles before it is "
        "replaced.",
    ),
]
BUILD_OPTS = [
    cfg.StrOpt("ca_bundle", help="CA bundle that builds trust; mounted, never in a layer."),
    cfg.StrOpt("pip_index_url", help="Package index for builds."),
    cfg.StrOpt("pip_extra_index_url", help="Further package index for builds."),
    cfg.StrOpt("pip_find_links", help="Folder on the node, or URL, with packages for builds."),
    cfg.StrOpt("npm_registry", help="npm's registry for builds; default: npm's own."),
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
    cfg.IntOpt(
        "parallel",
        default=2,
        min=1,
        help="Builds at a time on a node. Others wait; those that make a version's image take no "
        "slot meanwhile.",
    ),
    cfg.IntOpt(
        "cache_mb",
        default=2048,
        min=0,
        help="What nodes keep of what builds downloaded and made, for later builds of the same "
        "project, MB on each; 0: nothing.",
    ),
    cfg.IntOpt(
        "shared_cache_mb",
        default=2048,
        min=0,
        help="What nodes keep of wheels that they downloaded themselves, for builds of all "
        "projects, MB on each; 0: they download none.",
    ),
    cfg.StrOpt(
        "seed_image",
        default="debian:bookworm-slim",
        help="Base of the runtimes, taken from a registry if it answers within seed_seconds; "
        "else mmdebstrap makes one from this machine's own apt sources.",
    ),
    cfg.IntOpt("seed_seconds", default=10, min=1, help="How long a registry may take to give it."),
]
REGISTRY_OPTS: list[cfg.Opt] = [
    cfg.URIOpt(
        "url",
        schemes=["http", "https"],
        help="Container registry that spreads functions' images among nodes, as "
        "https://registry.example:5000. Plain http is for loopback alone. Without one each node "
        "makes its own.",
    ),
    cfg.StrOpt(
        "credentials",
        help="File that nobody else may read with one line, USER:PASSWORD, for the registry. "
        "Needed but for loopback.",
    ),
    cfg.IntOpt(
        "timeout",
        default=30,
        min=1,
        help="How long the registry may be silent, seconds, before the image is made here.",
    ),
]
