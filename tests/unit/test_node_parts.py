"""The pure parts of a node: logs, the runner's protocol, layer keys, the spool."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pratai_common import limits
from pratai_common.files import Folder
from pratai_common.messages import Result
from pratai_common.records import Body
from pratai_drivers.dependencies import layer_of
from pratai_drivers.logs import LogCutter
from pratai_drivers.runner_link import (
    MAX_HEADER_BYTES,
    Failure,
    ProtocolError,
    Ready,
    Response,
    RunnerLink,
    event_header,
)
from pratai_drivers.spool import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, MOST_AT_ONCE, Spool


def cutter() -> tuple[LogCutter, list[tuple[int, bytes]]]:
    pieces: list[tuple[int, bytes]] = []
    return LogCutter(lambda seq, content: pieces.append((seq, content))), pieces


def test_a_piece_leaves_after_half_a_second() -> None:
    logs, pieces = cutter()
    logs.write(b"a", 0.0)
    logs.flush_due(0.49)
    assert pieces == []
    logs.write(b"b", 0.5)
    assert pieces == [(0, b"ab")]


def test_a_piece_leaves_when_it_is_full() -> None:
    logs, pieces = cutter()
    logs.write(b"x" * (limits.LOG_CHUNK_BYTES + 1), 0.0)
    assert [(seq, len(content)) for seq, content in pieces] == [(0, limits.LOG_CHUNK_BYTES)]
    logs.flush()
    assert pieces[1] == (1, b"x")


@given(st.lists(st.binary(max_size=300_000), max_size=8))
def test_pieces_are_the_output_up_to_the_limit(written: list[bytes]) -> None:
    logs, pieces = cutter()
    for output in written:
        logs.write(output, 0.0)
    logs.flush()
    whole = b"".join(written)
    expected = whole[: limits.LOG_BYTES_PER_RUN]
    if len(whole) > limits.LOG_BYTES_PER_RUN:
        expected += limits.LOG_CUT_MARK
    assert b"".join(content for _, content in pieces) == expected
    assert [seq for seq, _ in pieces] == list(range(logs.chunks))
    assert all(len(content) <= limits.LOG_CHUNK_BYTES for _, content in pieces)


def test_what_a_runner_says() -> None:
    link = RunnerLink()
    assert link.feed(b'{"op": "next", "si') is None
    assert link.feed(b'ze": 0}\n') == Ready()
    assert link.feed(b'{"op": "response", "size": 4}\nnu') is None
    assert link.feed(b"ll") == Response(b"null")
    said = link.feed(b'{"op": "error", "reason": "exception", "message": "m", "size": 0}\n')
    assert said == Failure("exception", "m")
    assert link.feed(b'{"op": "init_error", "reason": "node_lost", "size": 0}\n') == Failure(
        "exception", ""
    )


def test_what_comes_at_once_is_heard_one_after_the_other() -> None:
    link = RunnerLink()
    said = link.feed(b'{"op": "next", "size": 0}\n{"op": "response", "size": 1}\n7')
    assert (said, link.feed(b""), link.feed(b"")) == (Ready(), Response(b"7"), None)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"[1]\n",
        b'{"op": "next"}\n',
        b'{"op": "next", "size": -1}\n',
        b'{"op": "next", "size": "1"}\n',
        b'{"op": "response", "size": 6291457}\n',
        b'{"op": "dance", "size": 0}\n',
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b"x" * MAX_HEADER_BYTES,
    ],
)
def test_what_no_runner_says(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        RunnerLink().feed(line)


def key(requirements: str, project: str = "p", **files: str) -> str | None:
    content = {"requirements.txt": requirements.encode(), "new_module.py": b""}
    content.update({name.replace("__", "/"): text.encode() for name, text in files.items()})
    layer = layer_of(project, "python3", "image", content)
    return None if layer is None else layer.key


def test_no_requirements_need_no_layer() -> None:
    assert key("") is None
    assert key("# a comment\n\n   \n") is None
    assert layer_of("p", "python3", "image", {}) is None


def test_a_layer_is_of_its_project_and_runtime_and_content() -> None:
    assert key("a==1\n") == key("a==1\n")
    assert key("a==1\n") != key("a==2\n")
    assert key("a==1\n") != key("a==1\n", project="q")
    content = {"requirements.txt": b"a==1\n"}
    assert layer_of("p", "python3", "image", content) != layer_of("p", "python3", "other", content)


@pytest.mark.parametrize(
    "line", ["./lib/x.whl", "-r lib/x.whl", "-c lib/x.whl", "-e ./lib", "lib/"]
)
def test_files_that_requirements_name_count(line: str) -> None:
    assert key(f"a==1\n{line}\n", **{"lib__x.whl": "1"}) != key(
        f"a==1\n{line}\n", **{"lib__x.whl": "2"}
    )


def test_other_files_do_not_count() -> None:
    assert key("a==1\n", data__x="1") == key("a==1\n", data__x="2")


def test_files_named_by_included_files_count() -> None:
    assert key("-r more.txt\n", **{"more.txt": "./x.whl", "x.whl": "1"}) != key(
        "-r more.txt\n", **{"more.txt": "./x.whl", "x.whl": "2"}
    )


def test_a_long_chain_of_included_files_is_followed() -> None:
    chain = {f"r{number}.txt": f"-r r{number + 1}.txt\n" for number in range(3000)}
    chain |= {"r3000.txt": "-r r0.txt\n./x.whl\n"}
    assert key("-r r0.txt\n", **chain, **{"x.whl": "1"}) != key(
        "-r r0.txt\n", **chain, **{"x.whl": "2"}
    )


def test_a_file_that_is_named_and_included_is_followed() -> None:
    requirements = "./a.txt\n-r a.txt\n"
    assert key(requirements, **{"a.txt": "./x.whl", "x.whl": "1"}) != key(
        requirements, **{"a.txt": "./x.whl", "x.whl": "2"}
    )


def test_the_package_itself_as_a_requirement() -> None:
    assert key(".\n", data="1") != key(".\n", data="2")


PINNED = "--only-binary=:all:\na==1 --hash=sha256:" + "0" * 64 + "\n"


def test_only_what_is_pinned_by_hash_is_shared() -> None:
    assert key(PINNED) == key(PINNED, project="q")
    for requirements in (
        PINNED + "b==1\n",
        PINNED.replace("--only-binary=:all:\n", ""),
        PINNED + "--index-url https://example.org\n",
        PINNED.replace("a==1", "a @ https://example.org/a.tar.gz"),
        PINNED.replace("a==1", "https://example.org/a.tar.gz"),
        PINNED.replace("a==1", "./a.tar.gz"),
    ):
        assert key(requirements) != key(requirements, project="q")


def result(request_id: str = "r") -> Result:
    return Result(
        request_id=request_id,
        attempt=1,
        node="n",
        epoch=1,
        project_id="p",
        token=b"t",
        started_at=1,
        finished_at=2,
    )


def due(spool: Spool, now: int) -> list[Result]:
    """Return the results that it is time to send again, as far as they can be read."""
    found = [spool.get(key) for key in spool.due(now)]
    return [each for each in found if each is not None]


def test_the_spool_sends_again_ever_less_often(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    spool.add(result(), 0)
    assert spool.due(FIRST_PAUSE_MS - 1) == []
    sent, now = [], 0
    while now < 100_000:
        now += 500
        sent += [now for _ in spool.due(now)]
    pauses = [later - earlier for earlier, later in pairwise(sent)]
    assert sent[0] == FIRST_PAUSE_MS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_MS
    spool.remove("r", 1)
    assert spool.due(10**9) == []
    assert list(tmp_path.iterdir()) == []


def test_the_spool_survives_its_process(tmp_path: Path) -> None:
    Spool(Folder(tmp_path), 0).add(result(), 0)
    (tmp_path / "x.1.result").write_bytes(b"half")
    again = Spool(Folder(tmp_path), 50)
    assert again.keys() == (("r", 1),)
    assert ("r", 1) in again
    assert due(again, 50) == [result()]
    assert (tmp_path / "x.1.damaged").exists()


def test_a_result_that_is_gone_from_the_disk_is_kept_no_longer(tmp_path: Path) -> None:
    """While the node said that it has it, nobody would repeat the run."""
    spool = Spool(Folder(tmp_path), 0)
    for name in ("removed", "damaged", "fine"):
        spool.add(result(name), 0)
    (tmp_path / "removed.1.result").unlink()
    (tmp_path / "damaged.1.result").write_bytes(b"half")
    assert due(spool, FIRST_PAUSE_MS) == [result("fine")]
    assert spool.keys() == (("fine", 1),)


def test_the_spool_knows_what_is_more_than_a_message_holds(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    most = b"x" * limits.REFERENCE_BODY_BYTES
    for name, content in (("most", most), ("more", most + b"x")):
        spool.add(replace(result(name), output=Body.inline(content)), 0)
    for each in (spool, Spool(Folder(tmp_path), 0)):
        assert [each.large((name, 1)) for name in ("most", "more", "none")] == [False, True, False]
    small = replace(result("more"), output=Body(sha256="s", size=len(most) + 1))
    spool.replace(small)
    assert (spool.large(("more", 1)), spool.get(("more", 1))) == (False, small)
    spool.remove("more", 1)
    spool.replace(small)
    assert Spool(Folder(tmp_path), 0).keys() == spool.keys() == (("most", 1),)


def test_the_spool_of_a_full_disk_keeps_what_it_has(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    spool.add(result("kept"), 0)
    for name in ("kept", "new"):
        (tmp_path / f".{name}.1.result.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        spool.replace(replace(result("kept"), message="m"))
    with pytest.raises(OSError, match="No space left on device"):
        spool.add(result("new"), 0)
    assert (spool.keys(), spool.get(("kept", 1))) == ((("kept", 1),), result("kept"))
    assert [each.name for each in tmp_path.iterdir()] == ["kept.1.result"]
    spool.add(result("new"), 0)
    assert Spool(Folder(tmp_path), 0).keys() == (("kept", 1), ("new", 1))


def test_what_a_killed_process_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    Spool(Folder(tmp_path), 0).add(result(), 0)
    (tmp_path / ".r.1.result.new").write_bytes(b"half")
    assert Spool(Folder(tmp_path), 0).keys() == (("r", 1),)
    assert [each.name for each in tmp_path.iterdir()] == ["r.1.result"]


def test_after_a_long_outage_results_are_sent_some_at_a_time(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path), 0)
    names = [f"r{number}" for number in range(2 * MOST_AT_ONCE + 1)]
    for name in names:
        spool.add(result(name), 0)
    sent = [[name for name, _ in spool.due(FIRST_PAUSE_MS)] for _ in range(4)]
    assert [len(each) for each in sent] == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]
    assert [name for each in sent for name in each] == names


def test_a_disk_that_takes_no_results_is_found_out(tmp_path: Path) -> None:
    spool = Spool(Folder(tmp_path / "spool"), 0)
    spool.check()
    assert list((tmp_path / "spool").iterdir()) == []
    (tmp_path / "spool").rmdir()
    with pytest.raises(FileNotFoundError):
        spool.check()


def test_a_header_is_one_line_of_json() -> None:
    header = event_header({"request_id": "r"}, 1.5, 4)
    assert header.endswith(b"\n")
    assert json.loads(header) == {
        "op": "event",
        "context": {"request_id": "r"},
        "timeout": 1.5,
        "size": 4,
    }
