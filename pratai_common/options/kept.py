"""Options of where records, archives and secrets are kept."""

from oslo_config import cfg, types

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
SECRETS_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "driver",
        default="local",
        help="Where secrets are kept: local (encrypted, in state_path of the machine that the API "
        "runs on), or barbican, found in Keystone's catalogue (see [keystone_authtoken]).",
    ),
    cfg.StrOpt(
        "interface",
        help="Which of Barbican's addresses in the catalogue the API uses; default: that of "
        "[keystone_authtoken] interface.",
    ),
    cfg.ListOpt(
        "trust_roles",
        default=["member"],
        help="Roles in which a function with secrets in Barbican reads them for its owner, where "
        "it asks for no trust of its own.",
    ),
    cfg.FloatOpt(
        "cache_seconds",
        default=30.0,
        min=0.0,
        max=600.0,
        help="How long a node keeps in its memory what it was given for a function: for so long "
        "runs go on with a former value, and for one who was disabled.",
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
