"""From upload to active: the first function with its requirements, and the second with the same.

Each round has a requirement of its own, a wheel in the zip, so that the first function finds no
layer to share and no network is asked. The baseline does the same by ``docker build``: the runtime,
a layer with the requirements, a layer with the files; the second finds the former in the cache.
Once the Docker Engine is asked directly, as Pratai does, and once with the docker command.

Afterwards every function is run, and its stored result is what its code and its wheel say; so is
that of every image.
"""

import io
import json
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import docker

from benchmarks import wheels
from benchmarks.client import Client, wait
from benchmarks.common import Figure, Values, interleaved, milliseconds, ratio
from tests.packages import zipped
from tests.stack import Stack

_LOOK_SECONDS = 0.005
_MODULE = """\
import requirement


def main(payload=None):
    return [requirement.VALUE, {which!r}, payload]
"""
_DOCKERFILE = """\
FROM {runtime}
COPY requirements.txt {wheel} /tmp/package/
RUN cd /tmp/package && python3 -m pip install --no-cache-dir --no-input --no-index --no-compile \\
    --disable-pip-version-check --target /opt/pratai/packages --requirement requirements.txt \\
 && python3 -m compileall -q /opt/pratai/packages
COPY new_module.py requirements.txt {wheel} /opt/pratai/function/
"""
_CALL = """
import json, sys
sys.path[:0] = ["/opt/pratai/packages", "/opt/pratai/function"]
import new_module
print(json.dumps(new_module.main(1)))
"""
_TURNS = ("first", "second")
Content = dict[str, str | bytes]


def figures(rounds: int) -> Iterator[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder)).start()
        try:
            with Client(stack.url) as client, _Docker(_runtime(client)) as baseline:
                yield _figure(stack, client, baseline, rounds)
        finally:
            stack.stop()


def _figure(stack: Stack, client: Client, baseline: "_Docker", rounds: int) -> Figure:
    ours, engine, command = "pratai", "docker build (Engine)", "docker build (command)"
    samples = interleaved(
        [
            partial(_both, ours, partial(_pratai, stack, client)),
            partial(_both, engine, baseline.by_engine),
            partial(_both, command, baseline.by_command),
        ],
        rounds,
    )
    return Figure(
        "building",
        "from upload to active: first and second function with the same requirements",
        "ms",
        {
            f"{turn}, {name}": samples[f"{turn}, {name}"]
            for turn in _TURNS
            for name in (ours, engine, command)
        },
        [
            ratio(f"{turn}, {ours}", f"{turn}, {baseline}")
            for turn in _TURNS
            for baseline in (engine, command)
        ],
        ["every function, and every image, was run: the result is what its code and wheel say"],
    )


def _both(name: str, build: Callable[[Content, list[object]], float]) -> Values:
    """Build two functions with the same requirement, which nobody had before."""
    wheel = wheels.new()
    values = {}
    for turn in _TURNS:
        content: Content = {
            "new_module.py": _MODULE.format(which=turn),
            "requirements.txt": f"./{wheel.filename}\n",
            wheel.filename: wheel.content,
        }
        values[f"{turn}, {name}"] = build(content, [wheel.value, turn, 1])
    return values


def _pratai(stack: Stack, client: Client, content: Content, expected: list[object]) -> float:
    package = zipped(content)
    made: list[str] = []

    def create() -> None:
        answer = stack.upload(package)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["function_id"])
        wait(built, "the function is built", _LOOK_SECONDS)

    def built() -> bool:
        function = client.get(f"/v1/functions/{made[0]}")
        assert function["status"] in ("building", "active"), function
        return bool(function["status"] == "active")

    took = milliseconds(create)
    assert stack.run(made[0], 1)["result"] == expected
    return took


class _Docker:
    """Builds the same images by ``docker build``; removes them at the end."""

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime
        self._client: Any = docker.APIClient(version="auto")
        self._exit = ExitStack()

    def __enter__(self) -> "_Docker":
        self._exit.callback(self._client.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def by_engine(self, content: Content, expected: list[object]) -> float:
        """Build as the Docker client's library does."""
        context, tag = self._context(content), self._tag()
        said: list[dict[str, str]] = []

        def build() -> None:
            said.extend(
                self._client.build(
                    fileobj=io.BytesIO(context), custom_context=True, tag=tag, rm=True, decode=True
                )
            )

        return self._checked(tag, milliseconds(build), expected)

    def by_command(self, content: Content, expected: list[object]) -> float:
        """Build as the docker command does."""
        context, tag = self._context(content), self._tag()
        command = ["docker", "build", "--quiet", "--tag", tag, "-"]

        def build() -> None:
            subprocess.run(command, input=context, check=True, capture_output=True)

        return self._checked(tag, milliseconds(build), expected)

    def _checked(self, tag: str, took: float, expected: list[object]) -> float:
        """Run the image that was made; returns the time that it took to make."""
        self._exit.callback(self._client.remove_image, tag)
        command = ["docker", "run", "--rm", "--network", "none", tag, "python3", "-c", _CALL]
        said = subprocess.run(command, check=True, capture_output=True).stdout
        assert json.loads(said) == expected, said
        return took

    def _context(self, content: Content) -> bytes:
        wheel = next(name for name in content if name.endswith(".whl"))
        dockerfile = _DOCKERFILE.format(runtime=self._runtime, wheel=wheel)
        return _tar({**content, "Dockerfile": dockerfile})

    def _tag(self) -> str:
        return f"pratai-benchmark:{uuid.uuid4().hex}"


def _tar(content: Content) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in content.items():
            data = data.encode() if isinstance(data, str) else data
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _runtime(client: Client) -> str:
    """Return the runtime's image."""
    return str(client.get("/v1/runtimes/python3")["image"])
