"""Which nodes are dead, by the locks in their folders."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pratai_drivers.leftovers import NodeLock, Sweeper

HOLDER = """
import sys
from pathlib import Path
from pratai_drivers.leftovers import NodeLock

lock = NodeLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_free_when_its_process_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with NodeLock(tmp_path) as lock:
            assert not lock.take()
            holder.kill()
            holder.wait()
            assert lock.take()


def test_only_dead_nodes_are_swept_and_none_of_them_can_start_meanwhile(tmp_path: Path) -> None:
    nodes = tmp_path / "nodes"
    with NodeLock(nodes / "mine") as mine, NodeLock(nodes / "living") as living:
        assert mine.take()
        assert living.take()
        with NodeLock(nodes / "dead"):
            pass
        (nodes / "a file").touch()
        swept: list[Sequence[str]] = []

        def sweep(dead: Sequence[str]) -> None:
            swept.append(dead)
            for name in dead:
                with NodeLock(nodes / name) as lock:
                    assert not lock.take()

        sweeper = Sweeper(nodes, "mine", sweep, seconds=60)
        sweeper.once()
        assert swept == [["dead"]]
        with NodeLock(nodes / "dead") as lock:
            assert lock.take()
            sweeper.once()
        assert swept[1] == []


def test_a_folder_whose_lock_cannot_be_opened_stops_nothing(tmp_path: Path) -> None:
    nodes = tmp_path / "nodes"
    for name in ("a", "z"):
        with NodeLock(nodes / name):
            pass
    (nodes / "odd" / "lock").mkdir(parents=True)
    swept: list[Sequence[str]] = []
    Sweeper(nodes, "mine", swept.append, seconds=60).once()
    assert swept == [["a", "z"]]
