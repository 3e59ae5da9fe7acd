"""Where a function request's id stands in log lines, and what never does."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from oslo_context.context import RequestContext, get_current
from oslo_log.formatters import ContextFormatter

from pratai_api.access_log import AccessLog, shown_path
from pratai_common import conf as configuration
from pratai_common.log_context import carried, logged, one_line
from tests.waiting import until

LOG = logging.getLogger("pratai_common.test")
ID = "0f0e0d0c-0b0a-0908-0706-050403020100"


class Lines(logging.Handler):
    """What is logged, as the daemons' files have it."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(one_line)
        self.setFormatter(
            ContextFormatter(config=configuration.load("test", ["--config-file", "/dev/null"]))
        )
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    root = logging.getLogger()
    before, levels = root.handlers[:], root.level
    handler = Lines()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    threads_context = get_current()
    yield handler.texts
    root.handlers[:] = before
    root.setLevel(levels)
    if threads_context is not None:
        threads_context.update_store()


def in_new_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_line_has_the_id_before_its_text_and_only_within_the_block(lines: list[str]) -> None:
    def work() -> None:
        LOG.info("before")
        with logged(ID):
            LOG.info("within")
            with logged("another"):
                LOG.info("deeper")
            LOG.info("again")
        LOG.info("after")

    in_new_thread(work)
    assert [line.split("pratai_common.test ")[1] for line in lines] == [
        "[-] before",
        f"[-] [request: {ID}] within",
        "[-] [request: another] deeper",
        f"[-] [request: {ID}] again",
        "[-] after",
    ]


def test_every_line_of_a_traceback_has_the_id(lines: list[str]) -> None:
    with logged(ID):
        try:
            raise ValueError("a")
        except ValueError:
            LOG.exception("it failed")
    written = lines[0].splitlines()
    assert len(written) > 4
    assert [line for line in written if f"[request: {ID}] " not in line] == []


def test_a_text_stays_on_its_line(lines: list[str]) -> None:
    in_new_thread(lambda: LOG.warning("said by %s", "a\n2026-01-01 forged\r\x1b[2J"))
    assert lines[0].endswith("[-] said by a\\n2026-01-01 forged\\r\\x1b[2J")


def test_in_the_api_the_http_requests_id_stands_before_it(lines: list[str]) -> None:
    def work() -> None:
        RequestContext(request_id="req-1")
        with logged(ID):
            LOG.info("text")

    in_new_thread(work)
    assert "req-1" in lines[0].split("[request:")[0]
    assert lines[0].endswith(f"[request: {ID}] text")


def test_another_thread_can_carry_on(lines: list[str]) -> None:
    def work() -> None:
        with logged(ID):
            in_new_thread(carried(lambda: LOG.info("carried")))
        in_new_thread(carried(lambda: LOG.info("nothing to carry")))

    in_new_thread(work)  # this thread may be concerned with a request of a former test
    assert f"[request: {ID}] carried" in lines[0]
    assert "[request:" not in lines[1]


def test_an_id_that_is_none_stays_on_its_line(lines: list[str]) -> None:
    with logged("a\n2026-01-01 forged" + "x" * 1000):
        LOG.info("text")
    assert "\n" not in lines[0]
    assert len(lines[0]) < 300


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/functions", "/v1/functions"),
        ("/v1/hooks/the-token", "/v1/hooks/***"),
        ("//hooks/the-token/more", "//hooks/***"),
        ("/v1/keys", "/v1/keys"),
        ("/v1/keys/prk_0123456789ab", "/v1/keys/prk_0123456789ab"),
        ("/v1/keys/prk_0123456789ab_secret", "/v1/keys/prk_0123456789ab***"),
        ("/v1/keys/prk_0123456789abc", "/v1/keys/***"),
        ("/v1/keys/PRK_0123456789ab_secret/more", "/v1/keys/***"),
        ("/v1/functions/monkeys/versions", "/v1/functions/monkeys/versions"),
        ("/v1/functions/a\nb", "/v1/functions/a%0Ab"),
        ("/gr\u00c3\u00b6\u00c3\u009fe", "/gr%C3%B6%C3%9Fe"),
    ],
)
def test_a_path_in_the_access_log(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_a_line_of_the_access_log(lines: list[str]) -> None:
    headers = [("X-Openstack-Request-Id", "req-7"), ("X-Pratai-Request-Id", ID)]
    answer = SimpleNamespace(status="202 ACCEPTED", headers=headers, sent=55)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/hooks/the-token",
        "RAW_URI": "/v1/hooks/the-token?key=secret",
        "QUERY_STRING": "key=secret",
        "HTTP_X_AUTH_TOKEN": "secret",
    }
    spent = timedelta(microseconds=1500)
    in_new_thread(lambda: AccessLog(Config()).access(answer, None, environ, spent))
    until(lambda: lines, "it is written")
    assert lines[0].split("pratai_api.access_log ")[1].startswith("[None req-7 ")
    assert lines[0].endswith(f"] [request: {ID}] POST /v1/hooks/*** 202, 55 bytes, 1.5 ms")


WRITER = """
import logging, sys
from pratai_common import conf
from pratai_common.log_context import logged
conf.load("writer", sys.argv[1:])
for line in sys.stdin:
    with logged("the-id"):
        logging.getLogger("pratai_common.x").warning(line.strip())
"""


@pytest.fixture
def writer(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    conf = tmp_path / "pratai.conf"
    conf.write_text(f"[DEFAULT]\nlog_dir = {tmp_path / 'log'}\nuse_json = {request.param}\n")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, "--config-file", str(conf)],
        stdin=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def say(writer: subprocess.Popen[str], text: str) -> None:
    assert writer.stdin is not None
    writer.stdin.write(f"{text}\n")
    writer.stdin.flush()


@pytest.mark.parametrize("writer", [False], indirect=True)
def test_a_log_that_was_moved_away_is_made_anew(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    log = tmp_path / "log" / "writer.log"
    say(writer, "first")
    until(lambda: log.exists() and "first" in log.read_text(), "it writes")
    log.rename(tmp_path / "moved")
    say(writer, "second")
    until(lambda: log.exists() and "second" in log.read_text(), "it writes to a new file")
    assert "second" not in (tmp_path / "moved").read_text()


@pytest.mark.parametrize("writer", [True], indirect=True)
def test_lines_can_be_json(writer: subprocess.Popen[str], tmp_path: Path) -> None:
    log = tmp_path / "log" / "writer.log"
    say(writer, "first")
    until(lambda: log.exists() and log.read_text().endswith("\n"), "it writes")
    line = json.loads(log.read_text())
    assert (line["message"], line["context"]["resource_uuid"]) == ("first", "the-id")


class Endless:
    """Whoever looks into it finds another one."""

    def __iter__(self) -> Iterator["Endless"]:
        return iter([self])

    def __repr__(self) -> str:
        return "endless"


def test_lines_of_json_hold_texts_and_look_into_no_object(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    path, log = tmp_path / "pratai.conf", tmp_path / "test.log"
    path.write_text(f"[DEFAULT]\nuse_json = true\nlog_file = {log}\n")
    try:
        configuration.load("test", ["--config-file", str(path)])
        with logged(ID):
            LOG.warning("found %r, %d", Endless(), 7)
    finally:
        for each in root.handlers:
            each.close()
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = log.read_text().splitlines()
    record = json.loads(line)
    assert (record["message"], record["levelname"]) == ("found endless, 7", "WARNING")
    assert record["context"]["resource_uuid"] == ID
