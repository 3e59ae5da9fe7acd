"""Which daemons of the platform live."""

from pratai_api.services import services
from pratai_common.records import Daemon


def living(*types: str) -> list[Daemon]:
    """Return the daemons that live, of some types or of all."""
    return living_of(services().store.list_daemons(), *types)


def living_of(daemons: list[Daemon], *types: str) -> list[Daemon]:
    """Return those of the daemons that live."""
    return services().witness.living(daemons, services().clock(), *types)
