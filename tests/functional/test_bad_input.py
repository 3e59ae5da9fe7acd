"""What is refused: status, reason, message; and an ordinary function runs right after.

Nothing that is refused reaches a node, so that one which runs no containers will do.
"""

import json
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
import requests

from pratai_common import limits
from pratai_common.submit import Cause, request_id
from tests.packages import ECHO, package, zipped
from tests.refusals import refused
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("still_fine")
Part = tuple[str | None, bytes | str]


@pytest.fixture(scope="module")
def stack(null_stack: Stack) -> Stack:
    return null_stack


@pytest.fixture(scope="module")
def echo(stack: Stack) -> str:
    return stack.function(ECHO)


def _link() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("new_module.py", "def main(p=None): pass\n")
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def _bomb() -> bytes:
    return zipped({"new_module.py": "def main(p=None): pass\n", "big": b"\0" * (251 * limits.MIB)})


def _lying_bomb() -> bytes:
    """A zip whose directory says that an entry is small."""
    content = zipped({"new_module.py": "def main(p=None): pass\n", "big": b"\0" * 10_000_000})
    return content.replace((10_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


BAD_ZIPS = {
    "not a zip": (lambda: b"PK\x03\x04 not at all", "not a zip: File is not a zip file"),
    "empty": (lambda: b"", "not a zip: File is not a zip file"),
    "no module": (lambda: zipped({"a.py": ""}), "the zip has no new_module.py at its root"),
    "no main": (
        lambda: package("def mian(payload=None): pass\n"),
        "new_module.py defines no main(payload=None)",
    ),
    "syntax error": (
        lambda: package("x = 1\ndef main(:\n    pass\n"),
        "new_module.py, line 2: invalid syntax",
    ),
    "bomb": (_bomb, "unpacked, the zip is larger than 250 MiB"),
    "lying bomb": (_lying_bomb, "big cannot be unpacked: Bad CRC-32 for file 'big'"),
    "path escape": (
        lambda: zipped({"new_module.py": "def main(p): 0\n", "../evil.py": ""}),
        "the zip has an entry that leads out of it: '../evil.py'",
    ),
    "absolute path": (
        lambda: zipped({"new_module.py": "def main(p): 0\n", "/etc/evil": ""}),
        "the zip has an entry that leads out of it: '/etc/evil'",
    ),
    "link": (_link, "the zip has an entry that is a link or no plain file: 'link'"),
    "a file that is a folder too": (
        lambda: zipped({"new_module.py": "def main(p): 0\n", "a": "", "a/b": ""}),
        "a stands in the zip as a file and as a folder",
    ),
    "a long name": (
        lambda: zipped({"new_module.py": "def main(p): 0\n", "n" * 256: ""}),
        f"the zip has an entry with too long a name: '{'n' * 100}'...",
    ),
    "too many entries": (
        lambda: zipped(
            {"new_module.py": "def main(p): 0\n"} | {f"f{n}": "" for n in range(10_000)}
        ),
        "the zip has more than 10000 entries",
    ),
}


@pytest.mark.parametrize("name", BAD_ZIPS)
def test_bad_zips(stack: Stack, name: str) -> None:
    make, message = BAD_ZIPS[name]
    assert refused(stack.upload(make()), 400, "invalid_package") == message


def test_a_zip_over_50_mib(stack: Stack) -> None:
    message = refused(stack.upload(b"\0" * (52 * limits.MIB)), 413, "too_large")
    assert message == f"the body is larger than {51 * limits.MIB} bytes"


BAD_METADATA = [
    ({"name": "1st"}, "matching regex"),
    ({"name": "a\n"}, "matching regex"),
    ({"name": "a" * 64}, "matching regex"),
    ({"name": "running"}, "running is a reserved name"),
    ({"name": "a", "memory": 63}, "`int` >= 64 - at `$.memory`"),
    ({"name": "a", "memory": 8193}, "`int` <= 8192 - at `$.memory`"),
    ({"name": "a", "memory": "128"}, "Expected `int`, got `str` - at `$.memory`"),
    ({"name": "a", "memory": 128.0}, "Expected `int`, got `float` - at `$.memory`"),
    ({"name": "a", "memory": 10**400}, "Expected `int`"),
    ({"name": "a", "cpus": 1e308}, "`float` <= 64.0 - at `$.cpus`"),
    ({"name": "a", "timeout": 901}, "`int` <= 900 - at `$.timeout`"),
    ({"name": "a", "type": "sync"}, "Invalid enum value 'sync' - at `$.type`"),
    ({"name": "a", "event": "timer"}, "event timer and frequency or cron go together"),
    ({"name": "a", "frequency": 5}, "event timer and frequency or cron go together"),
    (
        {"name": "a", "event": "timer", "frequency": 5, "type": "wait_for_response"},
        "type wait_for_response goes with event webhook only",
    ),
    ({"name": "a", "environment": {"A=B": "1"}}, "matching regex"),
    ({"name": "a", "environment": {"A" * 129: "1"}}, "matching regex"),
    ({"name": "a", "environment": {"A": "x" * 4097}}, "length <= 4096"),
    ({"name": "a", "environment": {"A": 1}}, "Expected `str`, got `int`"),
    (
        {"name": "a", "environment": {f"A{n}": "x" * 4096 for n in range(4)}},
        "the environment has 16396 bytes, 16384 are allowed",
    ),
    ({"name": "a", "memroy": 128}, "unknown field `memroy`"),
    ({}, "missing required field `name`"),
    ([], "Expected `object`, got `array`"),
    (None, "Expected `object`, got `null`"),
]


@pytest.mark.parametrize(("metadata", "message"), BAD_METADATA)
def test_bad_metadata(stack: Stack, metadata: object, message: str) -> None:
    answer = send(stack, ("zip_file", ("f.zip", ECHO)), ("metadata", (None, json.dumps(metadata))))
    assert message in refused(answer, 400, "invalid")


def test_an_environment_as_large_as_it_may_be(stack: Stack) -> None:
    """16 KiB of names, values and what is between them."""
    environment = {f"A{n}": "x" * 4093 for n in range(4)}
    assert stack.upload(ECHO, environment=environment).status_code == 201


def test_an_unknown_runtime(stack: Stack) -> None:
    answer = stack.upload(ECHO, runtime="cobol")
    assert refused(answer, 400, "unknown_runtime") == "there is no runtime cobol"


BAD_CHANGES = [
    ({"memory": 1}, "Expected `int` >= 64 - at `$.memory`"),
    ({"colour": "red"}, "unknown field `colour`"),
    ({"environment": {"A B": "1"}}, "matching regex"),
    ({"environment": {"A": "\0"}}, "matching regex"),
    ({"environment": {f"A{n}": "x" * 4096 for n in range(4)}}, "16384 are allowed"),
    ({"name": "running"}, "running is a reserved name"),
]


@pytest.mark.parametrize(("change", "message"), BAD_CHANGES)
def test_bad_changes(stack: Stack, echo: str, change: object, message: str) -> None:
    before = stack.get(f"/v1/functions/{echo}")
    answer = stack.call("PATCH", f"/v1/functions/{echo}", json=change)
    assert message in refused(answer, 400, "invalid")
    assert stack.get(f"/v1/functions/{echo}") == before


# Forms


def send(stack: Stack, *parts: tuple[str, Part], method: str = "POST", path: str = "") -> Any:
    return stack.call(method, f"/v1/functions{path}", files=parts)


def metadata(name: str) -> tuple[str, Part]:
    return "metadata", (None, json.dumps({"name": name}))


ZIP: tuple[str, Part] = ("zip_file", ("f.zip", ECHO))
BAD_FORMS: dict[str, tuple[list[tuple[str, Part]], int, str, str]] = {
    "no metadata": ([ZIP], 400, "invalid", "the form has no metadata"),
    "no zip": ([metadata("a")], 400, "invalid", "the form has no zip_file"),
    "two zips": (
        [ZIP, ("zip_file", ("g.zip", b"evil")), metadata("a")],
        400,
        "invalid",
        "the form has zip_file more than once",
    ),
    "two times metadata": (
        [ZIP, metadata("a"), metadata("b")],
        400,
        "invalid",
        "the form has metadata more than once",
    ),
    "a zip that is no file": (
        [("zip_file", (None, ECHO)), metadata("a")],
        400,
        "invalid",
        "zip_file must come as a file: its part has no filename",
    ),
    "metadata that is no JSON": (
        [ZIP, ("metadata", (None, "name=a"))],
        400,
        "invalid_json",
        "metadata is no JSON: JSON is malformed: invalid character (byte 4)",
    ),
    "metadata that is too large": (
        [ZIP, ("metadata", (None, "x" * 1_000_000))],
        413,
        "too_large",
        "a field of the form is too large",
    ),
    "a file of metadata that is too large": (
        [ZIP, ("metadata", ("m.json", "x" * 2_000_000))],
        413,
        "too_large",
        "a field of the form is too large",
    ),
}


@pytest.mark.parametrize("name", BAD_FORMS)
def test_bad_forms(stack: Stack, name: str) -> None:
    parts, code, reason, message = BAD_FORMS[name]
    assert refused(send(stack, *parts), code, reason) == message


def test_metadata_may_come_as_a_file_too(stack: Stack) -> None:
    """As of ``curl -F metadata=@settings.json``."""
    answer = send(stack, ZIP, ("metadata", ("settings.json", '{"name": "from-a-file"}')))
    assert (answer.status_code, answer.json()["name"]) == (201, "from-a-file")


NO_FORMS = {
    "JSON": (b'{"name": "a"}', "application/json", "the body must be a form: multipart/form-data"),
    "nothing": (b"", "", "the body must be a form: multipart/form-data"),
    "a form of another kind": (
        b"name=a",
        "application/x-www-form-urlencoded",
        "the body must be a form: multipart/form-data",
    ),
    "a form without parts": (b"x", "multipart/form-data; boundary=b", "the form has no metadata"),
    "a form without a boundary": (b"x", "multipart/form-data", "the form has no metadata"),
}


@pytest.mark.parametrize("name", NO_FORMS)
def test_what_is_no_form(stack: Stack, name: str) -> None:
    body, kind, message = NO_FORMS[name]
    answer = stack.call("POST", "/v1/functions", data=body, headers={"Content-Type": kind})
    assert refused(answer, 400, "invalid") == message


def test_a_form_that_is_cut(stack: Stack) -> None:
    whole = requests.Request("POST", stack.url, files=[metadata("cut"), ZIP]).prepare()
    assert isinstance(whole.body, bytes)
    for length in (len(whole.body) // 2, len(whole.body) - 10):
        answer = stack.call(
            "POST",
            "/v1/functions",
            data=whole.body[:length],
            headers={"Content-Type": whole.headers["Content-Type"]},
        )
        refused(answer, 400, "invalid")
    assert stack.get("/v1/functions?name=cut")["functions"] == []


# Names


def test_a_name_twice(stack: Stack) -> None:
    assert stack.upload(ECHO, name="twice").status_code == 201
    answer = stack.upload(ECHO, name="twice")
    assert refused(answer, 409, "name_taken") == "a function named twice exists"


def test_a_name_that_another_has(stack: Stack, echo: str) -> None:
    stack.function(ECHO, name="already-here")
    answer = stack.call("PATCH", f"/v1/functions/{echo}", json={"name": "already-here"})
    assert refused(answer, 409, "name_taken") == "a function named already-here exists"


def test_one_name_many_times_at_once(stack: Stack) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: stack.upload(ECHO, name="at-once"), range(8)))
    made = [each.json() for each in answers if each.status_code == 201]
    assert len(made) == 1
    for each in answers:
        if each.status_code != 201:
            refused(each, 409, "name_taken")
    found = stack.get("/v1/functions?name=at-once")["functions"]
    assert [each["function_id"] for each in found] == [made[0]["function_id"]]
    assert stack.built(made[0]["function_id"])["status"] == "active"


def test_the_name_of_a_deleted_function_is_free(stack: Stack) -> None:
    first = stack.function(ECHO, name="once-more")
    stack.call("DELETE", f"/v1/functions/{first}")
    assert stack.function(ECHO, name="once-more") != first


# Bodies

DEEP = b"[" * 100_000 + b"]" * 100_000
BAD_BODIES = [
    (b"{}", "invalid", "the body: Object missing required field `payload`"),
    (b'{"payload": ', "invalid_json", "the body is no JSON"),
    (b'{"payload": NaN}', "invalid_json", "the body is no JSON"),
    (b'{"payload": Infinity}', "invalid_json", "the body is no JSON"),
    (b'{"payload": 1} 2', "invalid_json", "trailing characters"),
    (b"{'payload': 1}", "invalid_json", "the body is no JSON"),
    (b'{"payload": 1,}', "invalid_json", "the body is no JSON"),
    (b'{"payload": 01}', "invalid_json", "the body is no JSON"),
    (b"", "invalid_json", "the body is no JSON"),
    (b"[1]", "invalid", "Expected `object`, got `array`"),
    (b"null", "invalid", "Expected `object`, got `null`"),
    (b'{"payload": "\xff"}', "invalid_json", "the body is no JSON"),
    (b'\xef\xbb\xbf{"payload": 1}', "invalid_json", "the body is no JSON"),
    ('{"payload": 1}'.encode("utf-16"), "invalid_json", "the body is no JSON"),
    (b'{"payload": "\\ud800"}', "invalid_json", "the body is no JSON"),
    (b'{"payload": ' + DEEP + b"}", "invalid_json", "maximum recursion depth exceeded"),
]


@pytest.mark.parametrize(("body", "reason", "message"), BAD_BODIES)
def test_bad_bodies(stack: Stack, echo: str, body: bytes, reason: str, message: str) -> None:
    answer = stack.call("POST", f"/v1/functions/{echo}", data=body)
    assert message in refused(answer, 400, reason)


def test_a_body_over_6_mib(stack: Stack, echo: str) -> None:
    head, tail = b'{"payload": "', b'"}'
    most = head + b"x" * (6 * limits.MIB - len(head) - len(tail)) + tail
    assert stack.call("POST", f"/v1/functions/{echo}", data=most).status_code == 202
    answer = stack.call("POST", f"/v1/functions/{echo}", data=most + b" ")
    assert refused(answer, 413, "too_large") == "the body is larger than 6291456 bytes"


def test_what_is_over_6_mib_as_json(stack: Stack) -> None:
    """Text and bytes that come to an endpoint become JSON strings, which are longer."""
    endpoint = stack.upload(ECHO, public=True).json()["endpoint"]
    message = "as JSON, the body is larger than 6291456 bytes"
    for fits, larger in ((4_000_000, 5_000_000), (1_000_000, 1_100_000)):
        byte = b"\xff" if fits == 4_000_000 else b"\x01"
        assert stack.call("POST", endpoint, data=byte * fits).status_code == 202
        assert (
            refused(stack.call("POST", endpoint, data=byte * larger), 413, "too_large") == message
        )


BAD_WAITS = [
    ("-1", ">= 0"), ("nan", ">= 0"), ("inf", "<= 1000000000"), ("", "got `str`"),
    ("soon", "got `str`"), ("1,5", "got `str`"), ("null", "got `str`"), ("1e999", "out of range"),
]  # fmt: skip


@pytest.mark.parametrize(("wait", "message"), BAD_WAITS)
def test_bad_waits(stack: Stack, echo: str, wait: str, message: str) -> None:
    path = f"/v1/functions/{echo}?wait={wait}"
    assert message in refused(stack.call("POST", path, json={"payload": 1}), 400, "invalid")


@pytest.mark.parametrize("wait", ["60.5", "1e3", "1000000"])
def test_waits_longer_than_a_minute_are_a_minute(stack: Stack, echo: str, wait: str) -> None:
    answer = stack.call("POST", f"/v1/functions/{echo}?wait={wait}", json={"payload": [wait]})
    assert (answer.status_code, answer.json()) == (200, [wait])


@pytest.mark.parametrize("key", [b"", b"x" * 256, "ключ".encode() * 40])
def test_bad_idempotency_keys(stack: Stack, echo: str, key: bytes) -> None:
    headers = {"Idempotency-Key": key}
    answer = stack.call("POST", f"/v1/functions/{echo}", json={"payload": 1}, headers=headers)
    assert refused(answer, 400, "invalid") == "Idempotency-Key must have 1 to 255 characters"


@pytest.mark.parametrize("key", [b"x" * 255, "ключ".encode(), b"\xff", b"a b", b"'; --"])
def test_odd_idempotency_keys(stack: Stack, echo: str, key: bytes) -> None:
    path, headers = f"/v1/functions/{echo}", {"Idempotency-Key": key}
    first = stack.call("POST", path, json={"payload": 1}, headers=headers)
    again = stack.call("POST", path, json={"payload": 1}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    other = stack.call("POST", path, json={"payload": 2}, headers=headers)
    message = "this Idempotency-Key was used with another body"
    assert refused(other, 422, "idempotency_key_reused") == message


# Ids and queries

UNKNOWN = "00000000-0000-0000-0000-000000000000"
UNKNOWN_IDS = [
    ("GET", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("POST", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("PATCH", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("DELETE", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("POST", f"/v1/functions/{UNKNOWN}/stop", "function_not_found"),
    ("GET", f"/v1/functions/{UNKNOWN}/versions", "function_not_found"),
    ("GET", f"/v1/functions/{UNKNOWN}/build-log", "function_not_found"),
    ("GET", f"/v1/functions/{UNKNOWN}/subscriptions", "function_not_found"),
    ("POST", f"/v1/functions/{UNKNOWN}/subscriptions", "function_not_found"),
    ("PATCH", f"/v1/functions/{UNKNOWN}/subscriptions/{UNKNOWN}", "function_not_found"),
    ("GET", f"/v1/events/{UNKNOWN}", "event_not_found"),
    ("PATCH", f"/v1/events/{UNKNOWN}", "event_not_found"),
    ("DELETE", f"/v1/events/{UNKNOWN}", "event_not_found"),
    ("POST", f"/v1/events/{UNKNOWN}", "event_not_found"),
    ("GET", f"/v1/requests/{UNKNOWN}", "request_not_found"),
    ("DELETE", f"/v1/requests/{UNKNOWN}", "request_not_found"),
    ("GET", f"/v1/requests/{UNKNOWN}/logs", "request_not_found"),
    ("POST", f"/v1/requests/{UNKNOWN}/replay", "request_not_found"),
    ("GET", f"/v1/runtimes/{UNKNOWN}", "runtime_not_found"),
]


@pytest.mark.parametrize(("method", "path", "reason"), UNKNOWN_IDS)
def test_unknown_ids(stack: Stack, method: str, path: str, reason: str) -> None:
    assert UNKNOWN in refused(stack.call(method, path), 404, reason)


def test_a_build_is_no_request(stack: Stack, echo: str) -> None:
    """Its id has the same shape, and is shown to nobody: it can be found out, not used."""
    build = request_id("default", echo, Cause("build", "1"))
    for method, path in (("GET", ""), ("GET", "/logs"), ("DELETE", ""), ("POST", "/replay")):
        answer = stack.call(method, f"/v1/requests/{build}{path}")
        refused(answer, 404, "request_not_found")


BAD_QUERIES = [
    ("requests", "limit=0", "Expected `int` >= 1 - at `$.limit`"),
    ("requests", "limit=1001", "Expected `int` <= 1000 - at `$.limit`"),
    ("requests", "limit=" + "9" * 1000, "at `$.limit`"),
    ("requests", "limit=x", "Expected `int`, got `str` - at `$.limit`"),
    ("requests", "limit=", "Expected `int`, got `str` - at `$.limit`"),
    ("requests", "limit=1.5", "Expected `int`, got `str` - at `$.limit`"),
    ("requests", "limit=1&limit=2", "the query has limit more than once"),
    ("requests", "status=lost", "Invalid enum value 'lost' - at `$.status`"),
    ("requests", "dead=maybe", "Expected `bool`, got `str` - at `$.dead`"),
    ("requests", "sort=name:asc", "Invalid enum value 'name:asc' - at `$.sort`"),
    ("requests", f"marker={UNKNOWN}", f"the marker names nothing in this list: {UNKNOWN}"),
    ("functions", f"marker={UNKNOWN}", f"the marker names nothing in this list: {UNKNOWN}"),
    ("functions", "marker=", "Expected `str` of length >= 1 - at `$.marker`"),
    ("functions", "marker=%00", "the marker names nothing in this list: \x00"),
    ("functions", "marker=" + "x" * 65, "Expected `str` of length <= 64 - at `$.marker`"),
    ("functions", "type=sync", "Invalid enum value 'sync' - at `$.type`"),
    ("functions", "sort=memory:asc", "Invalid enum value 'memory:asc' - at `$.sort`"),
    ("functions/running", "limit=x", "Expected `int`, got `str` - at `$.limit`"),
    ("runtimes", "marker=cobol", "the marker names nothing in this list: cobol"),
    ("cluster", "marker=x", "the marker names nothing in this list: x"),
]


@pytest.mark.parametrize(("path", "query", "message"), BAD_QUERIES)
def test_bad_queries(stack: Stack, path: str, query: str, message: str) -> None:
    assert message in refused(stack.call("GET", f"/v1/{path}?{query}"), 400, "invalid")


def test_queries_that_find_nothing(stack: Stack, echo: str) -> None:
    assert stack.run(echo)["status"] == "success"
    for value in ("null", "%00", "%ff", "'%20or%201=1", "x" * 2000):
        assert stack.get(f"/v1/functions?name={value}")["functions"] == []
        assert stack.get(f"/v1/functions?runtime={value}")["functions"] == []
        assert stack.get(f"/v1/requests?function_id={value}")["requests"] == []
    assert stack.get("/v1/functions")["functions"] != []
