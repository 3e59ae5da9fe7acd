"""Options of the API, of what stands before it, and of what it tells of those who call."""

from oslo_config import cfg, types

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
AUDIT_OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="Broker that audit events (CADF) of the API's writes are sent to, as oslo.messaging "
        "names one: rabbit://user:password@host:5672/. Without one they are in the log, by the "
        "logger pratai.audit.",
    ),
    cfg.StrOpt("topic", default="notifications", help="Topic of these notifications."),
    cfg.ListOpt(
        "ignore",
        default=[],
        help="Rules of the policy whose writes are not audited, such as function:call, "
        "event:publish; hook:call stands for calls of public endpoints.",
    ),
]
