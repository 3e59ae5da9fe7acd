"""What functions' events may share, as the configuration says: more is refused."""

from typing import NamedTuple, get_args

from msgspec import UnsetType
from oslo_config import cfg

from pratai_api.errors import ApiError
from pratai_common.records import Isolation


class Isolations(NamedTuple):
    """Which of them functions may choose: see ``[functions]``."""

    default: Isolation = "container"
    allowed: tuple[Isolation, ...] = get_args(Isolation)
    public_shared: bool = False

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Isolations":
        """Return those of the configuration; raises SystemExit where the default is none."""
        found = cls(
            conf.functions.default_isolation,
            tuple(conf.functions.isolations),
            conf.functions.public_shared,
        )
        if found.default not in found.allowed:
            raise SystemExit(
                f"[functions] default_isolation is {found.default}, which isolations does not name"
            )
        return found

    def wanted(self, isolation: Isolation | UnsetType, public: bool) -> Isolation:
        """Return what a new function has; raises ApiError (403) for what it may not choose."""
        chosen = self.default if isinstance(isolation, UnsetType) else isolation
        self.require(chosen, public)
        return chosen

    def require(self, isolation: Isolation, public: bool) -> None:
        """Refuse what a function may not have; raises ApiError (403)."""
        refused = "shared" if public and not self.public_shared else None
        allowed = [each for each in self.allowed if each != refused]
        if isolation not in allowed:
            whose = "a public function" if public else "a function"
            message = f"{whose} may not have the isolation {isolation}, but {' or '.join(allowed)}"
            raise ApiError(403, "isolation_not_allowed", message)
