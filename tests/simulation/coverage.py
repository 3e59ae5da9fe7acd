"""What histories came to: points at which daemons died, ways from one status to another."""

from collections import Counter

from pratai_common.records import Status

_STORE: dict[str, tuple[str, ...]] = {
    "scheduler": (
        "acquire_lease",
        "change_requests",
        "due_requests",
        "get_functions",
        "get_input",
        "get_requests",
        "list_daemons",
        "list_versions",
        "put_daemon",
        "running_requests",
    ),
    "collector": (
        "add_log_chunks",
        "change_function",
        "change_requests",
        "change_version",
        "create_requests",
        "following_requests",
        "get_events",
        "get_functions",
        "get_input",
        "get_requests",
        "get_result",
        "put_daemon",
        "subscriptions_to",
    ),
    "api": ("change_requests", "create_requests"),
    "agent": ("create_requests",),
}
_WITHIN = {
    "scheduler": ("change_requests",),
    "collector": ("change_requests", "create_requests"),
    "agent": ("create_requests",),
}
_SENDS = {
    "scheduler": ("Answer", "Build", "Cancel", "Job", "Lead", "Result"),
    "collector": ("Answer", "FunctionChanged", "Stored", "Submitted"),
    "node": ("Bye", "Done", "Ended", "Heartbeat", "Hello", "Result"),
    "api": ("Cancel", "Submitted"),
    "agent": ("Submitted",),
}
_OTHER = {
    "node": (
        "before disk write",
        "after disk write",
        "after disk remove",
        "send output",
        "after output",
    )
}

POINTS = (
    *(
        (role, f"{when} {name}")
        for role, names in _STORE.items()
        for name in names
        for when in ("before", "after")
    ),
    *((role, f"within {name}") for role, names in _WITHIN.items() for name in names),
    *((role, f"send {name}") for role, names in _SENDS.items() for name in names),
    *((role, name) for role, names in _OTHER.items() for name in names),
)
"""Where a daemon has to have died. A call of the store is three points: before it, when some of its
records are written, and behind it.
"""

SELDOM = (
    ("collector", "before get_events"),
    ("collector", "after get_events"),
    ("collector", "before get_input"),
    ("collector", "after get_input"),
    ("collector", "before get_result"),
    ("collector", "after get_result"),
    ("collector", "before change_function"),
    ("collector", "after change_version"),
    ("scheduler", "send Cancel"),
    ("node", "send output"),
    ("node", "after output"),
)
"""Those of them that are seldom come to: of these each history has one from its beginning on."""

_RARE = frozenset({("collector", "before get_events"), ("scheduler", "send Answer")})
"""Points that are seldom come to while faults happen: a death there is counted, not required."""

_OPEN = (Status.SCHEDULED, Status.QUEUED, Status.RUNNING)
TRANSITIONS = (
    *((None, status) for status in (*_OPEN, Status.SUCCESS, Status.ERROR)),
    (Status.QUEUED, Status.RUNNING),
    (Status.SCHEDULED, Status.RUNNING),
    (Status.QUEUED, Status.SUCCESS),
    (Status.QUEUED, Status.ERROR),
    (Status.QUEUED, Status.CANCELLED),
    (Status.SCHEDULED, Status.ERROR),
    (Status.SCHEDULED, Status.CANCELLED),
    (Status.RUNNING, Status.QUEUED),
    (Status.RUNNING, Status.SCHEDULED),
    (Status.RUNNING, Status.SUCCESS),
    (Status.RUNNING, Status.ERROR),
    (Status.RUNNING, Status.TIMEOUT),
    (Status.RUNNING, Status.CANCELLED),
)
"""Ways of a request from one status to another that have to have been gone; the first ones are how
it may begin.
"""

EVENTS = (
    "a letter was lost",
    "a letter came twice",
    "letters came out of order",
    "a wire was cut",
    "a job was long on its way",
    "a disk was full",
    "a disk lost what was not synced",
    "a result was forged",
    "a former scheduler woke",
    "an attempt ran on two nodes",
    "a node was drained",
    "a caller waited no longer",
    "a caller was told that nothing is known",
    "a client asked again",
)
"""What else has to have happened."""


class Coverage:
    """Counts, over many histories."""

    def __init__(self) -> None:
        self.came: Counter[tuple[str, str]] = Counter()
        self.crashed: Counter[tuple[str, str]] = Counter()
        self.stopped: Counter[tuple[str, str]] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()
        self.ways: Counter[tuple[Status | None, Status]] = Counter()
        self.events: Counter[str] = Counter()
        self.most_limited = 0
        """Runs at a time of the function that has a limit."""

        self.accepted = 0
        """Requests, however they came."""

        self.checked = 0
        self.seen = 0
        """Of the checks after a step, those at which a scheduler could know all that ran."""

    def missing(self) -> list[object]:
        """Return what never was."""
        return [
            *(point for point in POINTS if point not in _RARE | self.crashed.keys()),
            *(way for way in TRANSITIONS if not self.ways[way]),
            *(event for event in EVENTS if not self.events[event]),
        ]

    def summary(self) -> str:
        """Return the sums as text."""
        died, stood, failed = (
            sum(counts.values()) for counts in (self.crashed, self.stopped, self.failed)
        )
        return (
            f"{self.accepted} requests accepted; {died} deaths of daemons, {stood} standstills, "
            f"{failed} calls of the store failed, {self.events['a wire was cut']} wires cut"
        )

    def table(self) -> str:
        """Return all of it as text."""
        lines = [f"{'point':46}{'came to':>9}{'died':>6}{'stood':>6}{'store away':>11}"]
        for point in sorted({*self.came, *POINTS}):
            counts = (self.came, self.crashed, self.stopped, self.failed)
            came, died, stood, failed = (each[point] for each in counts)
            lines.append(f"{': '.join(point):46}{came:9}{died:6}{stood:6}{failed:11}")
        lines.append(f"{'from':12}{'to':12}{'requests':>9}")
        ways = sorted({*self.ways, *TRANSITIONS}, key=str)
        lines += [f"{way[0] or '-':12}{way[1]:12}{self.ways[way]:9}" for way in ways]
        lines.append(f"{self.checked} checks, a scheduler could know all at {self.seen} of them")
        lines += [f"{event:46}{self.events[event]:9}" for event in EVENTS]
        return "\n".join(lines)
