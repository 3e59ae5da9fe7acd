"""What is refused: status, reason, message; and an ordinary function runs right after."""

import json
import stat
import zipfile
from io import BytesIO

import pytest

from pratai_common import limits
from tests.packages import ECHO, package, zipped
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("still_fine")


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
    answer = stack.upload(make())
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["reason"]) == (400, 400, "invalid_package")
    assert error["message"] == message
    assert error["title"] == "Bad Request"
    assert error["http_request_id"] == answer.headers["X-Openstack-Request-Id"]


def test_a_zip_over_50_mib(stack: Stack) -> None:
    answer = stack.upload(b"\0" * (52 * limits.MIB))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (413, "too_large")


BAD_METADATA = [
    ({"name": "1st"}, "matching regex"),
    ({"name": "a\n"}, "matching regex"),
    ({"name": "running"}, "running is a reserved name"),
    ({"name": "a", "memory": 63}, "`int` >= 64 - at `$.memory`"),
    ({"name": "a", "memory": "128"}, "Expected `int`, got `str` - at `$.memory`"),
    ({"name": "a", "timeout": 901}, "`int` <= 900 - at `$.timeout`"),
    ({"name": "a", "type": "sync"}, "Invalid enum value 'sync' - at `$.type`"),
    ({"name": "a", "event": "timer"}, "event timer and frequency go together"),
    ({"name": "a", "frequency": 5}, "event timer and frequency go together"),
    ({"name": "a", "memroy": 128}, "unknown field `memroy`"),
    ({}, "missing required field `name`"),
]


@pytest.mark.parametrize(("metadata", "message"), BAD_METADATA)
def test_bad_metadata(stack: Stack, metadata: dict[str, object], message: str) -> None:
    form = {"zip_file": ("f.zip", ECHO), "metadata": (None, json.dumps(metadata))}
    answer = stack.call("POST", "/v1/functions", files=form)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "invalid")
    assert message in answer.json()["error"]["message"]


def test_an_unknown_runtime(stack: Stack) -> None:
    answer = stack.upload(ECHO, runtime="cobol")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "unknown_runtime")
    assert answer.json()["error"]["message"] == "there is no runtime cobol"


def test_metadata_that_is_too_large(stack: Stack) -> None:
    form = {"zip_file": ("f.zip", ECHO), "metadata": (None, "x" * 1_000_000)}
    answer = stack.call("POST", "/v1/functions", files=form)
    error = answer.json()["error"]
    assert (answer.status_code, error["message"]) == (413, "a field of the form is too large")


def test_a_name_twice(stack: Stack) -> None:
    assert stack.upload(ECHO, name="twice").status_code == 201
    answer = stack.upload(ECHO, name="twice")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (409, "name_taken")
    assert answer.json()["error"]["message"] == "a function named twice exists"


def test_a_form_without_its_parts(stack: Stack) -> None:
    answer = stack.call("POST", "/v1/functions", data={"metadata": '{"name": "a"}'})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "the form has no zip_file",
    )


BAD_BODIES = [
    (b"{}", "invalid", "the body: Object missing required field `payload`"),
    (b'{"payload": ', "invalid_json", "the body is no JSON"),
    (b'{"payload": NaN}', "invalid_json", "the body is no JSON"),
    (b"", "invalid_json", "the body is no JSON"),
    (b"[1]", "invalid", "Expected `object`, got `array`"),
    (b'{"payload": "\xff"}', "invalid_json", "the body is no JSON"),
]


@pytest.mark.parametrize(("body", "reason", "message"), BAD_BODIES)
def test_bad_bodies(stack: Stack, echo: str, body: bytes, reason: str, message: str) -> None:
    answer = stack.call("POST", f"/v1/functions/{echo}", data=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (400, reason)
    assert message in error["message"]


def test_a_body_over_6_mib(stack: Stack, echo: str) -> None:
    head, tail = b'{"payload": "', b'"}'
    most = head + b"x" * (6 * limits.MIB - len(head) - len(tail)) + tail
    assert stack.call("POST", f"/v1/functions/{echo}", data=most).status_code == 202
    answer = stack.call("POST", f"/v1/functions/{echo}", data=most + b" ")
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (413, "too_large")
    assert error["message"] == "the body is larger than 6291456 bytes"


UNKNOWN = "00000000-0000-0000-0000-000000000000"
UNKNOWN_IDS = [
    ("GET", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("POST", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("DELETE", f"/v1/functions/{UNKNOWN}", "function_not_found"),
    ("GET", f"/v1/functions/{UNKNOWN}/versions", "function_not_found"),
    ("GET", f"/v1/functions/{UNKNOWN}/build-log", "function_not_found"),
    ("GET", f"/v1/requests/{UNKNOWN}", "request_not_found"),
    ("GET", f"/v1/requests/{UNKNOWN}/logs", "request_not_found"),
]


@pytest.mark.parametrize(("method", "path", "reason"), UNKNOWN_IDS)
def test_unknown_ids(stack: Stack, method: str, path: str, reason: str) -> None:
    answer = stack.call(method, path)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, reason)
    assert UNKNOWN in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/secrets", "/v1/events", "/v2", "/nothing"])
def test_routes_that_do_not_exist_yet(stack: Stack, path: str) -> None:
    for method in ("GET", "POST"):
        answer = stack.call(method, path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "not_found")


def test_a_method_that_a_route_does_not_take(stack: Stack) -> None:
    answer = stack.call("PUT", "/v1/functions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, 405)
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "status=lost"])
def test_bad_queries(stack: Stack, query: str) -> None:
    answer = stack.call("GET", f"/v1/requests?{query}")
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "invalid")
