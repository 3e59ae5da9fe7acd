"""The platform as clients see it: its daemons, its runtimes, the versions of its interface; see
``views``.
"""

from pratai_api.views import Time, View, time
from pratai_common import records


class Daemon(View, frozen=True, kw_only=True):
    """A process of the platform; ``role`` is a scheduler's, ``active`` or ``standby``."""

    daemon_type: str
    daemon_id: str
    joined_at: Time
    status: str
    role: str | None
    ip: str
    version: str
    pid: int | None
    dropped_messages: int


class Runtime(View, frozen=True, kw_only=True):
    """What functions can run on, and on how many living nodes it is ready."""

    name: str
    image: str | None
    nodes: int


class Runtimes(View, frozen=True, kw_only=True):
    """The runtimes that functions may use."""

    runtimes: list[Runtime]
    next: str | None


class Daemons(View, frozen=True, kw_only=True):
    """The daemons of the platform."""

    daemons: list[Daemon]
    next: str | None


class Components(View, frozen=True, kw_only=True):
    """Each component, the store among them: ``running`` or ``not running``. How many daemons of
    each type run, and how many schedulers act: one, but for a moment after its death.
    """

    components: dict[str, str]
    daemons: dict[str, int]
    active_schedulers: int


class Link(View, frozen=True, kw_only=True):
    """Where a version of the interface is found."""

    rel: str
    href: str


class InterfaceVersion(View, frozen=True, kw_only=True):
    """A version of the interface."""

    id: str
    status: str
    min_version: str
    max_version: str
    links: list[Link]


class InterfaceVersions(View, frozen=True, kw_only=True):
    """The versions of the interface."""

    versions: list[InterfaceVersion]


class ShownVersion(View, frozen=True, kw_only=True):
    """One version of the interface."""

    version: InterfaceVersion


def daemon(record: records.Daemon, running: bool, role: str | None) -> Daemon:
    """Return a daemon of the cluster."""
    return Daemon(
        daemon_type=record.daemon_type,
        daemon_id=record.daemon_id,
        joined_at=time(record.joined_at),
        status="running" if running else "not running",
        role=role,
        ip=record.ip,
        version=record.version,
        pid=record.pid,
        dropped_messages=record.dropped_messages,
    )
