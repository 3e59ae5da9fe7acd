"""Which daemons of the platform live."""

from pratai_api.services import services
from pratai_common import beat
from pratai_common.records import Daemon


def alive(daemon: Daemon) -> bool:
    """Say whether a daemon gave a sign of life of late."""
    return beat.alive(daemon, services().witness.judged_at(services().clock()))


def living(daemon_type: str | None = None) -> list[Daemon]:
    """Return the daemons that live, of one type or of all."""
    return [
        each
        for each in services().store.list_daemons()
        if daemon_type in (None, each.daemon_type) and alive(each)
    ]
