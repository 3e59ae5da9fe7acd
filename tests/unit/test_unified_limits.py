"""Limits that Keystone keeps: whose count, for how long, and while it is away."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from oslo_config import cfg

from pratai_api.quotas import Limits
from pratai_api.unified_limits import KEPT_SECONDS, UnifiedLimits, open_unified
from pratai_common import conf
from tests.waiting import until

CONFIGURED = Limits(functions=5, keys=7, concurrent_requests=3, queued_requests=4)


class Keystone:
    """What is asked: it counts, and may be away, or slow."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: dict[str, dict[str, int]] = {}
        self.away = False
        self.asked: list[str] = []
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self, project_id: str) -> Mapping[str, int]:
        self.asked.append(project_id)
        self.answers.wait(30)
        if self.away:
            raise ConnectionError("nobody answers")
        return self.said.get(project_id, {})


@contextmanager
def limits(keystone: Keystone) -> Iterator[UnifiedLimits]:
    made = UnifiedLimits(keystone, CONFIGURED, lambda: keystone.now)
    yield made
    keystone.answers.set()
    made.close()


def test_what_keystone_says_counts_and_else_the_configuration() -> None:
    keystone = Keystone()
    keystone.said["p"] = {"functions": 2, "keys": -1, "cores": 9}
    with limits(keystone) as known:
        assert known("p", 30.0) == CONFIGURED._replace(functions=2, keys=-1)
        assert known("q", 30.0) == CONFIGURED


def test_what_agents_judge_is_the_configurations() -> None:
    """Schedulers, too, ask no Keystone, but are told."""
    keystone = Keystone()
    keystone.said["p"] = {"functions": 2, "concurrent_requests": 9, "queued_requests": 9}
    with limits(keystone) as known:
        assert known("p", 30.0) == CONFIGURED._replace(functions=2, concurrent_requests=9)
        assert known.differ


def test_keystone_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """Unless the operator says otherwise."""
    for number, (text, expected) in enumerate((("", 10), ("[oslo_limit]\ntimeout = 3\n", 3))):
        path = tmp_path / f"{number}.conf"
        path.write_text(text)
        open_unified(conf.load("pratai-api", ["--config-file", str(path)])).close()
        assert cfg.CONF.oslo_limit.timeout == expected


def test_it_is_asked_once_a_minute() -> None:
    keystone = Keystone()
    keystone.said["p"] = {"functions": 2}
    with limits(keystone) as known:
        for _ in range(3):
            assert known("p", 30.0).functions == 2
        keystone.said["p"] = {"functions": 9}
        keystone.now += KEPT_SECONDS - 1
        assert known("p", 30.0).functions == 2
        assert keystone.asked == ["p"]
        keystone.now += 1
        assert known("p", 30.0).functions == 2  # which is asked behind the back of this one
        until(lambda: known("p").functions == 9, "what Keystone says now is known")
        assert keystone.asked == ["p", "p"]


def test_who_does_not_wait_is_not_held_up() -> None:
    keystone = Keystone()
    keystone.said["p"] = {"functions": 2}
    keystone.answers.clear()
    with limits(keystone) as known:
        assert known("p") == known("p", 0.01) == CONFIGURED
        keystone.answers.set()
        until(lambda: known("p").functions == 2, "what Keystone says is known")
        assert keystone.asked == ["p"]


def test_while_keystone_is_away_what_it_said_last_counts() -> None:
    keystone = Keystone()
    keystone.said["p"] = {"functions": 2}
    with limits(keystone) as known:
        assert known("p", 30.0).functions == 2
        keystone.away = True
        keystone.now += KEPT_SECONDS
        known("p")
        until(lambda: len(keystone.asked) == 2, "it is asked again")
        assert known("p", 30.0).functions == 2
        assert known("q", 30.0) == CONFIGURED
        keystone.away = False
        keystone.said["p"] = {"functions": 3}
        keystone.now += KEPT_SECONDS
        known("p")
        until(lambda: known("p").functions == 3, "it is back")
