"""Options of what projects may have and choose, and of how they share the nodes."""

from oslo_config import cfg, types

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
        default=2.0,
        min=0.5,
        help="A scheduler that did not renew its lease for this long is replaced by a standby. It "
        "acts for the first half of this alone; schedulers' clocks may differ by a quarter of it.",
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
        help="A job that its node does not hold after this long was lost on its way; nodes take "
        "none that is older.",
    ),
    cfg.IntOpt(
        "most_node_slots",
        default=1024,
        min=1,
        help="So many slots a node is believed to have at most, whatever it says: nodes with most "
        "room are given most.",
    ),
    cfg.Opt(
        "project_weights",
        type=types.Dict(value_type=types.Integer(min=1, max=1000)),
        default={},
        sample_default="PROJECT_ID:3",
        help="Shares of the nodes where all want more than there is: one of weight 3 gets three "
        "times as many runs as one that is not named here, whose weight is 1.",
    ),
]
QUOTA_OPTS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "unified_limits",
        default=False,
        help="Whether Keystone says what each project may have, as [oslo_limit] names it: what is "
        "here then counts for what is registered nowhere there, and for queued_requests.",
    ),
    cfg.IntOpt(
        "functions",
        default=1000,
        min=-1,
        help="Functions that a project may have; -1 for as many as it likes.",
    ),
    cfg.IntOpt(
        "code_size",
        default=10_240,
        min=-1,
        help="MB that the zips of a project's functions may have together, former versions "
        "included, equal ones counted once; -1 for as many as it likes.",
    ),
    cfg.IntOpt(
        "concurrent_requests",
        default=-1,
        min=-1,
        help="Requests of a project that may run at a time, on all nodes; -1 for as many as there "
        "is room for. Beyond it asynchronous ones wait, synchronous calls are refused (429).",
    ),
    cfg.IntOpt(
        "requests_per_minute",
        default=600_000,
        min=-1,
        help="Requests that a project may make by the API in a minute: calls, publications (one "
        "for each function that runs), replays; -1 for as many as it likes. Beyond it they are "
        "refused (429).",
    ),
    cfg.IntOpt(
        "stored_results",
        default=10_000_000,
        min=-1,
        help="Requests of a project that may be kept when they have ended; -1 for as many as it "
        "likes. Beyond it new ones are refused (429), until [store] retention_days deletes some.",
    ),
    cfg.IntOpt(
        "keys",
        default=100,
        min=-1,
        help="API keys that a project may have, without those that have expired; -1 for as many as "
        "it likes.",
    ),
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
    cfg.IntOpt(
        "queued_requests",
        default=100_000,
        min=1,
        help="Requests of a project that may wait, queued or scheduled. Beyond it new ones are "
        "refused (429), its sources and timers wait. What follows from a run that was accepted is "
        "always taken.",
    ),
    cfg.IntOpt(
        "all_queued_requests",
        default=1_000_000,
        min=1,
        help="Requests of all projects together that may wait. Beyond it all new ones are refused "
        "(503).",
    ),
]
FUNCTIONS_OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        "isolations",
        default=["container", "process", "shared"],
        item_type=types.String(choices=["container", "process", "shared"]),
        help="What functions may choose: container (nothing of an event reaches another), process "
        "(events share what the function's import made), shared (they share one process). "
        "Functions that have one which is no longer named here keep it.",
    ),
    cfg.StrOpt(
        "default_isolation",
        default="container",
        choices=["container", "process", "shared"],
        help="What a new function has that chooses none; one of those that functions may choose.",
    ),
    cfg.BoolOpt(
        "public_shared",
        default=False,
        help="Whether functions with a public endpoint may choose shared: what one stranger sends "
        "could reach what another is answered.",
    ),
]
