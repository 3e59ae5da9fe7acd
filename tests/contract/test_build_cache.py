"""What builds leave for later ones, of the project and of all."""

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import MakeConf
from tests.contract.image_nodes import RUN, Node
from tests.docker_command import docker
from tests.node_api import NodeApi
from tests.packages import package, wheel, zipped
from tests.rabbitmq import write_certificate
from tests.serving import Handler, Served


class Index:
    """A package index, by HTTPS: pip keeps nothing that came by less. ``asked`` are the packages
    that were fetched.
    """

    def __init__(self, folder: Path, *packages: str) -> None:
        self.asked: list[str] = []
        self._files: dict[str, bytes] = {}
        for name in packages:
            for file, content in wheel(name, "1.0", content=f"WHO = {name!r}\n").items():
                assert isinstance(content, bytes)
                self._files[file] = content
        self.ca = write_certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
        self._served = Served(self._handler(), context)
        self.url = f"https://localhost:{self._served.port}"

    def add(self, file: str, content: bytes) -> None:
        self._files[file] = content

    def hash_of(self, file: str) -> str:
        return hashlib.sha256(self._files[file]).hexdigest()

    def _handler(self) -> type[Handler]:
        index = self

        class Packages(Handler):
            def do_GET(self) -> None:
                name = self.path.strip("/")
                links = [file for file in index._files if file.startswith(f"{name}-")]
                page = "".join(f'<a href="/{file}">{file}</a>' for file in links).encode()
                content = index._files.get(name, page)
                if name in index._files:
                    index.asked.append(name.partition("-")[0])
                kind = "text/html" if links else "application/zip"
                self.give(content, kind, Cache_Control="max-age=3600")

        return Packages

    def close(self) -> None:
        self._served.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    running = Index(tmp_path, "one", "two")
    yield running
    running.close()


def requiring(*requirements: str, **files: str | bytes) -> bytes:
    module = "import one\ndef main(payload=None): return one.WHO\n"
    return package(module, "".join(f"{each}\n" for each in requirements), **files)


def caching(
    make_conf: MakeConf, api: NodeApi, installation: str, index: Index, **options: int
) -> Node:
    build = {
        "pip_index_url": index.url,
        "pip_find_links": None,
        "ca_bundle": str(index.ca),
        **options,
    }
    return Node(make_conf, api, installation, build=build)


def test_a_build_fetches_what_no_build_of_its_project_has(
    make_conf: MakeConf, node_api: NodeApi, installation: str, index: Index
) -> None:
    node = caching(make_conf, node_api, installation, index, shared_cache_mb=0)
    node.build(requiring("one==1.0"))
    node.build(requiring("one==1.0", "two==1.0"))
    assert index.asked == ["one", "two"]
    assert "Successfully installed one-1.0 two-1.0" in node.log
    node.build(requiring("two==1.0", "one==1.0"), "another project")
    assert sorted(index.asked[2:]) == ["one", "two"]


def test_without_a_cache_all_is_fetched_again(
    make_conf: MakeConf, node_api: NodeApi, installation: str, index: Index
) -> None:
    node = caching(make_conf, node_api, installation, index, cache_mb=0, shared_cache_mb=0)
    node.build(requiring("one==1.0"))
    node.build(requiring("one==1.0", "two==1.0"))
    assert sorted(index.asked) == ["one", "one", "two"]
    assert not (node.state / "cache").exists()


def test_wheels_that_the_node_downloads_are_there_for_all_projects(
    make_conf: MakeConf, node_api: NodeApi, installation: str, index: Index
) -> None:
    node = caching(make_conf, node_api, installation, index)
    node.build(requiring("one==1.0"))
    assert "downloading wheels" in node.log
    image = node.build(requiring("one==1.0", "two==1.0"), "another project")
    assert index.asked == ["one", "two"]
    assert docker("run", "--rm", "--network=none", image, "python3", "-c", RUN) == "one"


def test_a_layer_of_all_projects_is_made_of_nothing_else(
    make_conf: MakeConf, node_api: NodeApi, installation: str, index: Index
) -> None:
    """Neither of modules in the package, nor of what earlier builds of the project have left."""
    node = caching(make_conf, node_api, installation, index, shared_cache_mb=0)
    tell = "import os; os.system('echo EVIL'); raise SystemExit\n"
    evil = {"pip/__init__.py": "", "pip/__main__.py": tell, "compileall.py": tell}
    node.build(requiring("one==1.0", **evil))
    assert "EVIL" not in node.log
    pinned = f"one==1.0 --hash=sha256:{index.hash_of('one-1.0-py3-none-any.whl')}"
    image = node.build(requiring("--only-binary=:all:", pinned, **evil))
    assert "EVIL" not in node.log
    assert index.asked == ["one", "one"]
    assert docker("run", "--rm", "--network=none", image, "python3", "-c", RUN) == "one"
    again = node.build(requiring("--only-binary=:all:", pinned), "another project")
    assert "the requirements are installed already" in node.log
    assert docker("run", "--rm", "--network=none", again, "python3", "-c", RUN) == "one"


SPOILS = """
import os, pathlib
from setuptools import setup

os.makedirs("/tmp/cache/http", exist_ok=True)
pathlib.Path("/tmp/cache/http/poison").write_text("poison")
setup(name="evil", version="1.0")
"""


def test_what_a_wheel_depends_on_by_address_spoils_nothing_of_all_projects(
    make_conf: MakeConf, node_api: NodeApi, installation: str, index: Index
) -> None:
    """pip takes it as source, whatever it was told."""
    index.add("evil-1.0.zip", zipped({"evil-1.0/setup.py": SPOILS}))
    ((name, content),) = wheel("friendly", "1.0", f"evil @ {index.url}/evil-1.0.zip").items()
    assert isinstance(content, bytes)
    index.add(name, content)
    node = caching(make_conf, node_api, installation, index)
    node.build(requiring("one==1.0", "friendly==1.0"))
    poisoned = [
        path.relative_to(node.state / "cache").parts[0]
        for path in (node.state / "cache").rglob("*")
        if path.is_file() and path.read_bytes() == b"poison"
    ]
    # Its own project's: it has run there, so there was something to be done.
    assert poisoned == ["projects"]
    assert index.asked.count("friendly") == 1


HOSTILE = r"""
import os, pathlib
from setuptools import setup

for folder in ("/run/build/cache", "/run/build/shared"):
    for path in [folder, *(str(each) for each in pathlib.Path(folder).rglob("*"))]:
        try:
            os.chmod(path, 0o777)
            pathlib.Path(path, "poison").write_text("poison")
        except OSError as error:
            print(type(error).__name__, error.errno, path)
        else:
            print("WRITTEN", path)
for path in pathlib.Path("/tmp/cache").rglob("*"):
    if path.is_symlink():
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content.replace(b"WHO = 'one'", b"WHO = 'bad'"))
pathlib.Path("/tmp/cache/poison").write_text("poison")
with open("/run/build/new", "wb") as pipe:
    pipe.write(b"6 poison-of-the-pipe\npoison6 ../../outside\npoison")
setup(name="hostile", version="1.0")
"""


def test_a_hostile_build_leaves_something_to_its_own_project_alone(
    make_conf: MakeConf, node_api: NodeApi, installation: str, index: Index
) -> None:
    node = caching(make_conf, node_api, installation, index)
    node.build(requiring("one==1.0"), "victim")
    evil = {"evil/setup.py": HOSTILE, "new_module.py": "def main(payload=None): return 1\n"}
    node.build(zipped({**evil, "requirements.txt": "one==1.0\n./evil\n"}), "attacker")
    assert "WRITTEN" not in node.log
    image = node.build(requiring("one==1.0", "two==1.0"), "victim")
    assert docker("run", "--rm", "--network=none", image, "python3", "-c", RUN) == "one"
    holding = {
        path.relative_to(node.state / "cache").parts[:2]
        for path in (node.state / "cache").rglob("*")
        if path.is_file() and b"poison" in path.read_bytes()
    }
    # What it left is there, for it alone: the search finds what is meant to be found.
    assert [kind for kind, _owner in holding] == ["projects"]
    assert len(list((node.state / "cache" / "projects").iterdir())) == 2
    assert not list(node.state.parent.rglob("outside"))
