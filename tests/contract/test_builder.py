"""What a build is given is found in no layer of what it makes."""

import io
import json
import shutil
import subprocess
import tarfile
import threading
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratai_common.errors import BuildError
from pratai_drivers.builder import Builder
from pratai_drivers.engines.base import GivenUp, wanted
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.transfers import Transfers
from tests.contract.conftest import MakeConf
from tests.node_api import NodeApi
from tests.packages import package, zipped
from tests.serving import Page, Site

INDEX_SECRET = "planted-in-the-index-address"
CA_SECRET = "planted-in-the-ca-bundle"
LINKS_SECRET = "planted-in-the-find-links-folder"
OWN_TEXT = "planted-in-the-function-itself"
WHEEL = "tinything-1.0-py3-none-any.whl"


def _wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = "tinything-1.0.dist-info"
        archive.writestr("tinything.py", "VALUE = 1\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


@pytest.fixture
def index() -> Iterator[Site]:
    """A package index with one package, behind a secret path."""
    site = Site()
    folder = f"/{INDEX_SECRET}/tinything/"
    site.pages = {
        folder: Page(f'<a href="{WHEEL}">{WHEEL}</a>'.encode(), "text/html"),
        f"{folder}{WHEEL}": Page(_wheel(), "application/zip"),
    }
    yield site
    site.close()


def _everything_in(image: str, folder: Path) -> bytes:
    """Return all that an image holds: its configuration, history, and each layer's files."""
    saved = folder / "image.tar"
    with saved.open("wb") as file:
        subprocess.run(["docker", "save", image], check=True, stdout=file)
    found = [
        subprocess.run(command, check=True, capture_output=True).stdout
        for command in (
            ["docker", "inspect", image],
            ["docker", "history", "--no-trunc", image],
        )
    ]
    with tarfile.open(saved) as outer:
        for member in outer:
            file = outer.extractfile(member)
            if file is None:
                continue
            content = file.read()
            found.append(member.name.encode() + content)
    return b"\n".join(found)


def test_settings_of_builds_are_in_no_layer(
    make_conf: MakeConf, node_api: NodeApi, index: Site, tmp_path: Path
) -> None:
    links = tmp_path / LINKS_SECRET
    links.mkdir()
    links.chmod(0o755)  # the umask of a daemon is stricter
    bundle = tmp_path / "ca.pem"
    own = make_conf().build.ca_bundle
    if own:
        shutil.copyfile(own, bundle)
    with bundle.open("a") as file:
        file.write(f"\n# {CA_SECRET}\n")
    address = f"{index.url}/{INDEX_SECRET}/"
    conf = make_conf(ca_bundle=bundle, pip_index_url=address, pip_find_links=links, network="host")
    engine = DockerEngine.from_conf(conf)
    runtimes = engine.prepare(lambda _output: None)
    engine.open()
    try:
        content = package(
            f"# {OWN_TEXT}\nimport tinything\ndef main(p=None): return tinything.VALUE\n",
            "tinything==1.0\n",
        )
        log: list[bytes] = []
        image = Builder(engine, Transfers(30), conf, runtimes).image(
            node_api.package(content, project_id=uuid.uuid4().hex), log.append
        )
        held = _everything_in(image, tmp_path)
        subprocess.run(["docker", "rmi", "-f", image], check=True, capture_output=True)
    finally:
        engine.close()
    assert f"/{INDEX_SECRET}/tinything/{WHEEL}" in index.asked
    assert b"Successfully installed tinything-1.0" in b"".join(log)
    # The positive control: the search finds what is meant to be there.
    assert OWN_TEXT.encode() in held
    assert b"tinything.py" in held
    for secret in (INDEX_SECRET, CA_SECRET, LINKS_SECRET):
        assert secret.encode() not in held
    configuration = json.loads(
        subprocess.run(
            ["docker", "inspect", runtimes["python3"]], check=True, capture_output=True
        ).stdout
    )
    assert b"PIP_CONFIG_FILE" not in held.split(b'"Config"', 1)[1][:5000]
    command = ["/usr/bin/python3", "-I", "/opt/pratai/runner/runner.py"]
    assert configuration[0]["Config"]["Cmd"] == command


def _build_that_hangs(
    make_conf: MakeConf,
    node_api: NodeApi,
    timeout: int,
    begun: threading.Event,
    given_up: GivenUp,
) -> None:
    """Begin a build whose setup never ends, and tell when it runs."""
    conf = make_conf(timeout=timeout, network="none")
    engine = DockerEngine.from_conf(conf)
    runtimes = engine.prepare(lambda _output: None)
    engine.open()
    setup = "import time\ntime.sleep(600)\n"
    files = {"slow/setup.py": setup, "new_module.py": "def main(p=None): 0\n"}
    content = zipped({**files, "requirements.txt": "./slow\n"})

    def say(output: bytes) -> None:
        if b"Processing ./slow" in output:
            begun.set()

    try:
        builder = Builder(engine, Transfers(30), conf, runtimes)
        builder.image(node_api.package(content), say, given_up)
    finally:
        engine.close()


def test_a_build_that_hangs_is_ended(make_conf: MakeConf, node_api: NodeApi) -> None:
    with pytest.raises(BuildError, match="took longer than 3 s"):
        _build_that_hangs(make_conf, node_api, 3, threading.Event(), wanted)


def test_a_build_that_nobody_wants_any_more_is_ended(
    make_conf: MakeConf, node_api: NodeApi
) -> None:
    begun = threading.Event()
    with pytest.raises(BuildError, match="was given up"):
        _build_that_hangs(make_conf, node_api, 600, begun, begun.is_set)
    assert begun.is_set()
