"""What stands in the way of this release on an installation of a former one: looked at, and
changed nowhere. For ``pratai-status upgrade check``.
"""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_policy.policy import InvalidDefinitionError
from oslo_upgradecheck import common_checks
from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands

from pratai_api import policies
from pratai_common import conf as configuration
from pratai_common import key_files
from pratai_common.errors import StoreUnavailableError
from pratai_common.key_files import KeyFileError
from pratai_common.store.base import open_store

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MOST_TOLD = 5
Check = Callable[["Checks"], Result]


class Checks(UpgradeCommands):
    """The checks, each of which looks at what its ``conf`` names."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    def store(self) -> Result:
        """See whether tables, or indices and their templates, are those of this release."""
        try:
            store = open_store(self._conf)
            try:
                gaps = store.schema_gaps()
            finally:
                store.close()
        except (StoreUnavailableError, OSError) as error:
            return Result(Code.FAILURE, f"the store cannot be looked at: {error}")
        return _told(Code.FAILURE, gaps, "run pratai-db-init")

    def policy(self) -> Result:
        """See whether the operator's rules are YAML, are rules, and are of this release."""
        result: Result = common_checks.check_policy_json(self, self._conf)
        if result.code is not Code.SUCCESS:
            return result
        try:
            enforcer = policies.make_enforcer(self._conf)
        except (InvalidDefinitionError, AttributeError, OSError, ValueError) as error:
            return Result(Code.FAILURE, f"the policy cannot be read: {error}")
        known = {rule.name for rule in policies.list_rules()}
        unknown = sorted(set(enforcer.file_rules) - known)
        what = [f"the policy has {name}, of which nothing asks" for name in unknown]
        return _told(Code.WARNING, what, "see the reference of policies")

    def options(self) -> Result:
        """See whether the configuration has options that this release does not know."""
        known = _known_options()
        try:
            unknown = [
                f"[{group}] {name} in {path}"
                for path in _files(self._conf)
                for group, names in _sections(path)
                if group in known
                for name in names
                if name.replace("-", "_") not in known[group]
            ]
        except (cfg.Error, OSError) as error:
            return Result(Code.FAILURE, f"the configuration cannot be read: {error}")
        return _told(Code.WARNING, unknown, "they were removed, or are misspelt, and do nothing")

    def keys(self) -> Result:
        """See whether the keys are there, and nobody else reads or adds any."""
        wrong = [each for each in self._wrong_keys() if each]
        return _told(Code.FAILURE, wrong, "see the guide on keys")

    def _wrong_keys(self) -> Iterator[str | None]:
        path = configuration.token_key_path(self._conf)
        yield _complaint(
            path, _OTHERS, "can be read by others", "there is no {}: run pratai-db-init"
        )
        if self._conf.sockets.security != "curve":
            return
        folder = Path(self._conf.sockets.keys_path)
        yield _complaint(folder, _WRITTEN_BY_OTHERS, "can be written by others", "there is no {}")
        own = self._conf.sockets.secret_key
        found = [*([Path(own)] if own else []), *sorted(folder.rglob("*.key_secret"))]
        for path in found:
            try:
                key_files.read_pair(path)
            except (KeyFileError, OSError) as error:
                yield str(error)

    _upgrade_checks: tuple[tuple[str, Check], ...] = (
        ("Store", store),
        ("Policy", policy),
        ("Options", options),
        ("Keys", keys),
    )


def _told(code: Code, found: list[str], remedy: str) -> Result:
    """Return a result that names what was found, or the first of it."""
    if not found:
        return Result(Code.SUCCESS)
    more = f" and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    return Result(code, f"{'; '.join(found[:_MOST_TOLD])}{more}: {remedy}")


def _complaint(path: Path, bits: int, what: str, missing: str) -> str | None:
    try:
        return f"{path} {what}" if path.stat().st_mode & bits else None
    except FileNotFoundError:
        return missing.format(path)
    except OSError as error:
        return str(error)


def _known_options() -> dict[str, set[str]]:
    """Return the names of options by group, of the groups that nobody else has options in."""
    conf = configuration.registered()
    return {
        group or "DEFAULT": set(conf if group is None else conf[group])
        for group, _ in configuration.list_opts()
    }


def _files(conf: cfg.ConfigOpts) -> Iterator[str]:
    yield from conf.config_file
    for folder in conf.config_dir:
        yield from (str(path) for path in sorted(Path(folder).glob("*.conf")))


def _sections(path: str) -> Iterator[tuple[str, list[str]]]:
    sections: dict[str, Any] = {}
    cfg.ConfigParser(path, sections).parse()
    for group, values in sections.items():
        yield group, list(values)
