"""The stack as processes: one a console script, nothing left behind, data that outlives it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.packages import ECHO, package
from tests.stack import Stack
from tests.waiting import until

_KEPT = ("images.json", "unpacked/")
"""What a node that ended keeps for its next start."""

SCRIPTS = {"pratai-api", "pratai-agent", "pratai-scheduler", "pratai-collector", "pratai-driver"}


def test_one_pid_for_each_console_script(stack: Stack) -> None:
    pids = stack.pids()
    assert set(pids) == SCRIPTS
    assert all(len(each) == 1 for each in pids.values())
    # One that another test has killed is listed for a while.
    listed = stack.get("/v1/cluster")["daemons"]
    daemons = [each for each in listed if each["status"] == "running"]
    assert len(daemons) == len(SCRIPTS)
    own = {each["daemon_type"]: each["pid"] for each in daemons if each["daemon_type"] != "api"}
    assert own == {
        script.removeprefix("pratai-"): pids[script][0] for script in SCRIPTS - {"pratai-api"}
    }


def test_a_result_outlives_the_stack(tmp_path: Path) -> None:
    stack = Stack(tmp_path).start()
    try:
        function = stack.function(package("def main(p=None):\n    print('kept')\n    return p\n"))
        request_id = stack.submit(function, "kept")
        result = stack.ended(request_id)
        log = stack.logs(request_id)
        stack.stop()
        stack.start()
        assert stack.get(f"/v1/requests/{request_id}?include=payload") == result
        assert stack.logs(request_id) == log == "kept\n"
        assert stack.run(function, "again")["result"] == "again"
    finally:
        stack.stop()


def test_work_in_progress_outlives_the_stack(tmp_path: Path) -> None:
    """A stop waits for what runs, within the grace time; what waits is run after a start."""
    stack = Stack(tmp_path, {"driver": {"slots": 1}}).start()
    try:
        module = "import time\ndef main(p=None):\n    time.sleep(p)\n    return p\n"
        function = stack.function(package(module))
        sent = [stack.submit(function, 2) for _ in range(2)]
        until(lambda: stack.get(f"/v1/requests/{sent[0]}")["status"] == "running", "it runs")
        stack.stop()
        stack.start()
        ended = [stack.ended(each) for each in sent]
        assert [each["result"] for each in ended] == [2, 2]
        assert [len(each["attempts"]) for each in ended] == [1, 1]
    finally:
        stack.stop()


def test_what_outlasts_the_grace_time_is_repeated(tmp_path: Path) -> None:
    stack = Stack(tmp_path, {"DEFAULT": {"grace_seconds": 1}}).start()
    try:
        module = """
            import time
            from pratai import context

            def main(payload=None):
                print("attempt", context.attempt)
                time.sleep(600 if context.attempt == 1 else 0)
                return context.attempt
            """
        request_id = stack.submit(stack.function(package(module), timeout=900))
        until(lambda: stack.logs(request_id), "it runs")
        stack.stop()
        stack.start()
        ended = stack.ended(request_id)
        assert (ended["status"], ended["result"]) == ("success", 2)
        assert [each["reason"] for each in ended["attempts"]] == ["node_lost", None]
        assert ended["attempts"][0]["message"] == "the node was stopped while it ran this"
        assert stack.logs(request_id) == "attempt 1\n[attempt 2]\nattempt 2\n"
    finally:
        stack.stop()


def test_daemons_end_on_sigterm_and_are_started_again(stack: Stack, echo: str) -> None:
    before = stack.pids()
    for script in SCRIPTS:
        subprocess.run(["kill", "-s", "TERM", str(before[script][0])], check=True)

    def all_new() -> bool:
        now = stack.pids()
        return set(now) == SCRIPTS and not any(now[script] == before[script] for script in SCRIPTS)

    until(all_new, "every daemon was started again")
    until(stack._up, "the stack runs")
    assert stack.run(echo, 1)["result"] == 1


def _left() -> dict[str, set[str]]:
    """Return what there is of everything that a stack makes, whoever made it."""
    docker = ["docker"]
    return {
        "containers": _lines([*docker, "ps", "-aq", "--no-trunc"]),
        "networks": _lines([*docker, "network", "ls", "-q", "--no-trunc"]),
        "volumes": _lines([*docker, "volume", "ls", "-q"]),
        "mounts": {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()},
        "interfaces": {path.name for path in Path("/sys/class/net").iterdir()},
        "processes": _processes(),
        "temporary files": {path.name for path in Path("/tmp").iterdir()},
        "rules": _lines(["iptables-save"], drop="#:"),
    }


def _lines(arguments: list[str], drop: str = "") -> set[str]:
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return {line for line in done.stdout.splitlines() if line[:1] not in drop}


def _processes() -> set[str]:
    """Return the processes that a stack can have started: below this one, left to init, or the
    container engine's. What else happens on the machine is not the stack's.
    """
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_text().replace("\0", " ")
            fields = (path / "stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if command and fields[0] != "Z":
            parents[int(path.name)] = int(fields[1])
            commands[int(path.name)] = command

    def possible(pid: int) -> bool:
        parent = parents[pid]
        if parent in (1, os.getpid()) or "containerd" in commands.get(parent, ""):
            return True
        return "dockerd" in commands.get(parent, "") or (parent in parents and below(parent))

    def below(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return {f"{pid} {command}" for pid, command in commands.items() if possible(pid)}


@pytest.mark.alone
def test_nothing_is_left_behind(stack: Stack, tmp_path: Path) -> None:
    # The shared stack removes the container of a test before this one after its result is out, and
    # those that wait for events of its function later. What is of no function stays.
    its = ["docker", "ps", "-a", "--filter", f"label=pratai.node={stack.node}"]
    its += ["--format", "{{.Image}}"]
    until(lambda: all("/runtime-" in each for each in _lines(its)), "the shared stack rests")
    before = _left()
    stack = Stack(tmp_path).start()
    try:
        function = stack.function(ECHO)
        assert stack.run(function, 1)["result"] == 1
        failing = stack.function(package("import os\ndef main(p=None): os._exit(3)\n"))
        assert stack.run(failing)["reason"] == "exit_code"
        during = _left()
    finally:
        stack.stop()
    # The positive control: while the stack ran, this looked and saw what it made.
    for kind in ("networks", "interfaces", "processes", "rules"):
        assert during[kind] - before[kind], kind
    last: dict[str, set[str]] = {}

    def as_before() -> bool:
        last.clear()
        last.update({kind: seen ^ before[kind] for kind, seen in _left().items()})
        return not any(last.values())

    try:
        until(as_before, "all is as before", 30)
    except AssertionError:
        raise AssertionError(last) from None
    # What the node knows of its images it keeps, and what it has unpacked of them.
    node = tmp_path / "state" / "nodes" / stack.node
    left = {str(path.relative_to(node)) for path in node.rglob("*") if not path.is_dir()}
    assert {each for each in left if not each.startswith(_KEPT)} == {"lock"}
    assert {_KEPT[0], *left} == left
