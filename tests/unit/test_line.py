"""Which of a node's jobs may begin."""

from pratai_common.messages import Build, Job, Package
from pratai_common.records import Body
from pratai_drivers.line import Line

PACKAGE = Package(
    project_id="p", function_id="f", version=1, runtime="r", archive_sha256="s", archive_url="u"
)


def job(request_id: str, memory: int = 100) -> Job:
    return Job(
        **_claim(request_id),
        function_name="f",
        memory=memory,
        cpus=1.0,
        timeout=1,
        network="none",
        isolation="container",
        environment={},
        source="http",
        created_at=1,
        input=Body.inline(b"1"),
    )


def build(request_id: str) -> Build:
    return Build(**_claim(request_id))


def _claim(request_id: str) -> dict[str, object]:
    return {
        "request_id": request_id,
        "attempt": 1,
        "node": "n",
        "epoch": 1,
        "project_id": "p",
        "token": b"t",
        "instance": "i",
        "package": PACKAGE,
    }


def begun(line: Line) -> list[str]:
    """Let all begin that may; returns who did."""
    names = []
    while (each := line.begin()) is not None:
        names.append(each.request_id)
    return names


def joined(line: Line, *jobs: Job | Build) -> Line:
    for each in jobs:
        line.join(each)
    return line


def test_as_many_begin_as_there_are_slots() -> None:
    first = job("1")
    line = joined(Line(2, 1000, 500, 2), first, job("2"), job("3"))
    assert begun(line) == ["1", "2"]
    line.leave(first)
    assert begun(line) == ["3"]


def test_what_runs_fits_into_the_memory_and_nobody_is_passed() -> None:
    large = job("1", 700)
    line = joined(Line(4, 1000, 500, 2), large, job("2", 400), job("3", 100))
    assert begun(line) == ["1"]
    line.leave(large)
    assert begun(line) == ["2", "3"]


def test_a_build_takes_its_part_of_the_memory() -> None:
    made = build("1")
    line = joined(Line(4, 1000, 500, 2), made, job("2", 500), job("3", 100))
    assert begun(line) == ["1", "2"]
    line.leave(made)
    assert begun(line) == ["3"]


def test_what_alone_takes_more_than_there_is_runs_alone() -> None:
    small = job("1")
    line = joined(Line(4, 1000, 500, 2), small, job("2", 2000), job("3"))
    assert begun(line) == ["1"]
    line.leave(small)
    assert begun(line) == ["2"]


def test_builds_beyond_their_number_let_runs_pass() -> None:
    first = build("1")
    line = joined(Line(4, 4000, 500, 1), first, build("2"), build("3"), job("4"))
    assert begun(line) == ["1", "4"]
    line.leave(first)
    assert begun(line) == ["2"]


def test_a_run_that_has_no_room_is_passed_by_nobody() -> None:
    line = joined(Line(2, 4000, 500, 1), build("1"), build("2"), job("3"), job("4"))
    assert begun(line) == ["1", "3"]
