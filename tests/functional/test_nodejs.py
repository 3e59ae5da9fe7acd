"""Functions in JavaScript on the running stack: built by npm, run, answered, refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packages import ECHO, npm_package, zipped
from tests.refusals import refused
from tests.stack import Stack
from tests.waiting import until

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "hello-javascript"
MAIN = "exports.main = (payload) => payload;\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One that has the runtime, and another that is made from it."""
    folder = tmp_path_factory.mktemp("nodejs")
    own = folder / "nodejs-plus"
    own.mkdir()
    (own / "Dockerfile").write_text(
        "ARG NODEJS\nFROM ${NODEJS}\nCOPY extra.js /node_modules/extra/index.js\n"
    )
    (own / "extra.js").write_text("exports.value = 'from the runtime';\n")
    settings = {"DEFAULT": {"runtimes": "python3,nodejs", "runtime_folders": own}}
    running = Stack(folder, settings).start()
    yield running
    running.stop()


def javascript(module: str, name: str = "new_module.js", **files: str | bytes) -> bytes:
    """Return a function's zip; ``files`` are further ones, by path with dots as ``__``."""
    named = {path.replace("__", "."): content for path, content in files.items()}
    return zipped({name: module, **named})


def result(stack: Stack, content: bytes, payload: Any = None, **settings: Any) -> Any:
    """Return what a new function makes of an event."""
    request = stack.run(stack.function(content, runtime="nodejs", **settings), payload)
    assert request["status"] == "success", request
    return request["result"]


def test_it_is_a_runtime(stack: Stack) -> None:
    listed = {each["name"]: each for each in stack.get("/v1/runtimes")["runtimes"]}
    assert set(listed) == {"python3", "nodejs", "nodejs-plus"}
    assert listed["nodejs"]["nodes"] == 1
    assert listed["nodejs"]["image"].startswith("pratai/runtime-nodejs:")


def test_it_knows_the_trace_that_it_is_in(stack: Stack) -> None:
    module = "exports.main = () => require('pratai').context.traceparent;"
    function = stack.function(javascript(module), runtime="nodejs")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    ended = stack.ended(stack.submit(function, None, **headers))
    assert ended["result"].split("-")[1] == trace


def test_runtimes_of_ones_own_are_made_from_it(stack: Stack) -> None:
    content = javascript("exports.main = () => require('extra').value;")
    function = stack.function(content, runtime="nodejs-plus")
    assert stack.run(function)["result"] == "from the runtime"
    # The positive control: the built-in runtime has no such module.
    plain = stack.run(stack.function(content, runtime="nodejs"))
    assert plain["message"].startswith("Error: Cannot find module 'extra'")


def test_the_example(stack: Stack) -> None:
    """What its lock names is installed as it says, by ``npm ci``."""
    content = zipped({path.name: path.read_bytes() for path in EXAMPLE.iterdir()})
    function = stack.function(content, runtime="nodejs")
    request = stack.run(function, {"name": "Ada", "noun": "person"})
    assert request["result"] == {"greeting": "Hello, Ada!", "plural": "people"}
    assert stack.logs(request["request_id"]) == f"handling request {request['request_id']}\n"
    assert stack.run(function)["result"] == {"greeting": "Hello, world!", "plural": "events"}


@pytest.mark.parametrize(
    ("name", "module", "files"),
    [
        ("new_module.cjs", "exports.main = () => require('./inner').value;", {}),
        ("new_module.mjs", "import i from './inner.js'; export const main = () => i.value;", {}),
        (
            "new_module.js",
            "import { value } from 'own'; export const main = async () => value;",
            {
                "package__json": '{"type": "module", "dependencies": {"own": "file:own.tgz"}}',
                "own__tgz": npm_package("own"),
            },
        ),
        (
            "new_module.js",
            "exports.main = () => require('brought').value;",
            {
                "package__json": '{"dependencies": {"brought": "99.0.0"}}',
                "node_modules/brought/index__js": "exports.value = 7;",
            },
        ),
    ],
    ids=["a script", "a module", "a module with a package", "packages that the zip brings"],
)
def test_modules(stack: Stack, name: str, module: str, files: dict[str, str | bytes]) -> None:
    content = javascript(module, name, inner__js="exports.value = 7;", **files)
    assert result(stack, content) == 7


def test_no_script_of_a_package_is_run(stack: Stack) -> None:
    hostile = npm_package("own", scripts={"install": "touch ran && exit 1"})
    module = "const fs = require('fs'); exports.main = () =>\n"
    module += "  fs.readdirSync(require('path').dirname(require.resolve('own'))).sort();\n"
    manifest = '{"dependencies": {"own": "./own.tgz"}, "scripts": {"preinstall": "exit 1"}}'
    settings = {"__npmrc": "ignore-scripts=false\n"}
    content = javascript(module, package__json=manifest, own__tgz=hostile, **settings)
    assert result(stack, content) == ["index.js", "package.json"]


def test_what_is_not_required_is_not_there(stack: Stack) -> None:
    """Not even what npm itself is made of."""
    module = "exports.main = (name) => { try { require(name); } catch (e) { return e.code; } };"
    assert result(stack, javascript(module), "semver") == "MODULE_NOT_FOUND"
    assert result(stack, javascript(module), "pratai") is None


def test_packages_that_cannot_be_installed(stack: Stack) -> None:
    content = javascript(MAIN, package__json='{"dependencies": {"own": "file:missing.tgz"}}')
    function = stack.built(stack.upload(content, runtime="nodejs").json()["function_id"])
    assert (function["status"], function["version"]) == ("error", None)
    assert function["build_error"] == "installing the requirements failed"
    log = stack.call("GET", function["logs_endpoint"]).text
    assert "npm ERR! code ENOENT" in log


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ECHO, "the zip has none of new_module.js, new_module.mjs, new_module.cjs at its root"),
        (
            javascript(MAIN, package__json="{"),
            "package.json is no object in JSON: Input data was truncated",
        ),
    ],
)
def test_what_is_no_function_in_javascript(stack: Stack, content: bytes, message: str) -> None:
    answer = stack.upload(content, runtime="nodejs")
    assert refused(answer, 400, "invalid_package") == message


def test_a_function_stays_in_its_language(stack: Stack) -> None:
    function = stack.function(javascript(MAIN), runtime="nodejs")
    answer = stack.call("PATCH", f"/v1/functions/{function}", files={"zip_file": ("f.zip", ECHO)})
    message = "the zip has none of new_module.js, new_module.mjs, new_module.cjs at its root"
    assert refused(answer, 400, "invalid_package") == message
    # The positive control, and the other way round.
    assert stack.run(stack.function(ECHO), 1)["result"] == 1
    wrong = stack.upload(javascript(MAIN))
    assert refused(wrong, 400, "invalid_package") == "the zip has no new_module.py at its root"


FAILS = {
    "throw new TypeError('no such luck');": ("exception", "TypeError: no such luck"),
    "process.exit(3);": ("exit_code", "process.exit(3)"),
    "process.reallyExit(5);": ("exit_code", "its process ended with code 5"),
    "return NaN;": ("bad_result", "main returned no JSON: TypeError: NaN"),
    "for (;;);": ("timeout", "it did not end within 3 s (imports and main together)"),
    "await new Promise((resolve) => setTimeout(resolve, 60_000));": (
        "timeout",
        "it did not end within 3 s (imports and main together)",
    ),
    "const held = []; for (;;) held.push(new Array(100_000).fill(held.length));": (
        "oom",
        "it needed more memory than the function has",
    ),
}


@pytest.mark.parametrize("statement", FAILS)
def test_it_fails_with_a_reason(stack: Stack, statement: str) -> None:
    module = f"exports.main = async () => {{ console.log('begun'); {statement} }};"
    function = stack.function(javascript(module), runtime="nodejs", timeout=3)
    request = stack.run(function)
    assert (request["reason"], request["message"]) == FAILS[statement]
    assert stack.logs(request["request_id"]).startswith("begun\n")
    assert len(request["attempts"]) == 1


def test_it_answers_by_http(stack: Stack) -> None:
    module = """
        const { Response } = require('pratai');
        exports.main = (payload) =>
          new Response(`<p>${payload}`, { status: 201, headers: { 'Content-Type': 'text/html' } });
        """
    function = stack.function(javascript(module), runtime="nodejs", type="wait_for_response")
    answer = stack.call("POST", f"/v1/functions/{function}", json={"payload": "ä"})
    assert (answer.status_code, answer.content.decode()) == (201, "<p>ä")
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["X-Pratai-Answered-By"] == "function"


COUNTING = "let events = 0; exports.main = () => (events += 1);"


def test_what_its_events_share(stack: Stack) -> None:
    alone = stack.function(javascript(COUNTING), runtime="nodejs", isolation="process")
    for _ in range(2):
        request = stack.run(alone)
        assert request["result"] == 1
        assert stack.logs(request["request_id"]).startswith("[isolation container, not process: ")
    shared = stack.function(javascript(COUNTING), runtime="nodejs", isolation="shared")
    until(lambda: stack.run(shared)["result"] > 1, "two events in one container")


def test_an_event_finds_a_spare(stack: Stack) -> None:
    function = stack.function(javascript(COUNTING), runtime="nodejs", spares=1)

    def look() -> bool:
        request = stack.run(function)
        assert request["result"] == 1
        return request["cold"] is False

    until(look, "an event finds a spare")


def test_its_variables(stack: Stack) -> None:
    """Those that are Node's own do not keep the runner from starting."""
    module = "exports.main = () => process.env.COLOUR;"
    environment = {"COLOUR": "grün", "NODE_OPTIONS": "--no-such-option"}
    assert result(stack, javascript(module), environment=environment) == "grün"
