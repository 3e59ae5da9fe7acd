"""Functions' images in Docker: what a registry spreads among nodes, what builds leave for later
ones, and which images go.
"""

import base64
import hashlib
import json
import ssl
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests

from pratai_common.errors import BuildError
from pratai_common.messages import Package
from pratai_drivers.builder import Builder
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.image_collection import ImageCollection
from pratai_drivers.registry import open_registry
from pratai_drivers.surplus import Budget
from pratai_drivers.transfers import Transfers
from tests.contract.conftest import MakeConf
from tests.node_api import NodeApi
from tests.packages import package, wheel, zipped
from tests.ports import free_port
from tests.rabbitmq import write_certificate
from tests.services import Service
from tests.serving import Handler, Served
from tests.waiting import until

USER, PASSWORD = "node", "only-nodes-know"
RUN = (
    "import sys; sys.path[:0] = ['/opt/pratai/packages', '/opt/pratai/function'];"
    "import new_module; print(new_module.main())"
)


def docker(*arguments: str, **options: Any) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True, **options
    )
    return done.stdout.strip()


@contextmanager
def docker_login(url: str) -> Iterator[str]:
    """Yield a folder of settings by which the docker command may use the registry."""
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with TemporaryDirectory() as folder:
        settings = {"auths": {url.removeprefix("http://"): {"auth": auth}}}
        Path(folder, "config.json").write_text(json.dumps(settings))
        yield folder


class Node:
    """A node of an installation: its builder, and what the builder said last."""

    def __init__(
        self, make_conf: MakeConf, api: NodeApi, installation: str, **groups: Mapping[str, Any]
    ) -> None:
        conf = make_conf(network="host")
        # The runtime is that of all tests: an installation's own would take minutes.
        runtimes = DockerEngine.from_conf(conf).prepare(lambda _output: None)
        conf.set_override("installation", installation)
        for group, options in groups.items():
            for name, value in options.items():
                conf.set_override(name, value, group=group)
        self.engine = DockerEngine.from_conf(conf)
        self.registry = open_registry(conf, self.engine)
        if self.registry is not None:
            self.registry.start()
        self.state = Path(conf.state_path, "nodes", conf.driver.name)
        self.builder = Builder(self.engine, Transfers(30), conf, runtimes, self.registry)
        self._api = api
        self.log = ""

    def build(self, content: bytes, project_id: str = "p") -> str:
        said: list[bytes] = []
        try:
            return self.builder.image(self.package(content, project_id), said.append)
        except BuildError:
            print(b"".join(said).decode())
            raise
        finally:
            self.log = b"".join(said).decode()

    def package(self, content: bytes, project_id: str = "p") -> Package:
        return self._api.package(content, project_id)

    def close(self) -> None:
        if self.registry is not None:
            self.registry.stop()


@pytest.fixture
def installation() -> Iterator[str]:
    """The name of one whose images are removed at the end."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    label = f"label=pratai.installation={name}"
    for container in docker("ps", "-aq", "--filter", label).split():
        docker("rm", "-f", container)
    for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines():
        if f"{name}/" in image:
            docker("rmi", "-f", image)


# What a registry spreads


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    running = Service("registry", PRATAI_REGISTRY_USER=USER, PRATAI_REGISTRY_PASSWORD=PASSWORD)
    running.start()
    try:
        yield running
    finally:
        running.remove()


class Installation:
    """Nodes that share a registry. They share a Docker Engine, too, so what one of them made is
    removed before the next looks for it.
    """

    def __init__(
        self, make_conf: MakeConf, api: NodeApi, name: str, url: str, password: str, folder: Path
    ) -> None:
        credentials = folder / "credentials"
        credentials.write_text(f"{USER}:{password}\n")
        credentials.chmod(0o600)
        self.name = name
        self.url = url
        self._settings = {"url": url, "credentials": str(credentials), "timeout": 60}
        self._make_conf = make_conf
        self._api = api
        self._nodes: list[Node] = []

    def node(self) -> Node:
        node = Node(self._make_conf, self._api, self.name, registry=self._settings)
        self._nodes.append(node)
        return node

    def pushed(self, image: str) -> None:
        """Wait until the registry has an image."""
        repository, tag = image.split(":")

        def there() -> bool:
            answer = requests.get(
                f"{self.url}/v2/{repository}/manifests/{tag}", auth=(USER, PASSWORD), timeout=30
            )
            return answer.ok

        until(there, f"{image} is in the registry", 300)
        # Docker gives the name there back a moment later.
        host = self.url.removeprefix("http://")
        until(lambda: not docker("images", "-q", f"{host}/{repository}:{tag}"), "it is only here")

    def lose(self, *images: str) -> None:
        for image in images:
            docker("rmi", "-f", image)

    def close(self) -> None:
        for node in self._nodes:
            node.close()


@pytest.fixture
def nodes(
    make_conf: MakeConf, node_api: NodeApi, installation: str, service: Service, tmp_path: Path
) -> Iterator[Installation]:
    shared = Installation(make_conf, node_api, installation, service.url, PASSWORD, tmp_path)
    yield shared
    shared.close()


def greeting(text: str) -> bytes:
    """Return a function with a requirement of its own, which says this."""
    file = wheel("greeting", "1.0", content=f"TEXT = {text!r}\n")
    requirements = "".join(f"./{name}\n" for name in file)
    return package(
        "import greeting\ndef main(payload=None): return greeting.TEXT\n", requirements, **file
    )


def test_what_one_node_has_made_another_pulls(nodes: Installation) -> None:
    first, second = nodes.node(), nodes.node()
    content = greeting("hello")
    image = first.build(content)
    assert "the registry does not have it" in first.log
    assert "installing the requirements" in first.log
    parent = docker("image", "inspect", "-f", "{{.Parent}}", image)
    nodes.pushed(image)
    nodes.lose(image, parent)
    assert second.build(content) == image
    assert second.log == "the registry had it: same content, same image\n"
    assert docker("run", "--rm", "--network=none", image, "python3", "-c", RUN) == "hello"
    assert second.engine.images().keys() == {image}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("LABEL pratai.image=another", "was not made as that"),
        ("LABEL pratai.installation=another", "was not made as that"),
        ("USER root", "has another User"),
        ('CMD ["sh"]', "has another Cmd"),
        ("ENV PYTHONPATH=/tmp", "has another Env"),
        ('ENTRYPOINT ["sh"]', "has another Cmd"),
        ("RUN touch /tmp/more", "has layers that are not a function's"),
    ],
)
def test_what_a_node_did_not_make_as_that_is_not_taken(
    nodes: Installation, change: str, why: str
) -> None:
    node = nodes.node()
    content = greeting(change)
    image = node.build(content)
    nodes.pushed(image)
    there = f"{nodes.url.removeprefix('http://')}/{image}"
    docker("build", "--quiet", "-t", there, "-", input=f"FROM {image}\n{change}\n")
    with docker_login(nodes.url) as configuration:
        docker("--config", configuration, "push", "--quiet", there)
    nodes.lose(there, image)
    assert node.build(content) == image
    assert why in node.log
    assert "adding 3 files" in node.log
    assert docker("run", "--rm", "--network=none", image, "python3", "-c", RUN) == change


@pytest.mark.parametrize("case", ["nobody listens", "the password is another"])
def test_where_the_registry_is_of_no_use_images_are_made(
    case: str,
    make_conf: MakeConf,
    node_api: NodeApi,
    installation: str,
    service: Service,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, password = (
        (f"http://127.0.0.1:{free_port()}", PASSWORD)
        if case == "nobody listens"
        else (service.url, "another")
    )
    shared = Installation(make_conf, node_api, installation, url, password, tmp_path)
    try:
        content = greeting("hello")
        image = shared.node().build(content)
        node = shared.node()
        shared.lose(image)
        assert node.build(content) == image
        assert node.log.startswith("the registry failed\n")
        assert "adding 3 files" in node.log
        # A moment later it is not asked again.
        node.build(greeting("hello again"))
        assert node.log.startswith("the registry failed a moment ago and is not asked\n")
        assert PASSWORD not in caplog.text
    finally:
        shared.close()


# What builds leave for later ones


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


# Which images go


def test_images_go_by_their_last_use_and_runtimes_stay(
    make_conf: MakeConf, node_api: NodeApi, installation: str
) -> None:
    node = Node(make_conf, node_api, installation)
    contents = [greeting(text) for text in ("old", "new")]
    old, new = map(node.build, contents)
    parents = [docker("image", "inspect", "-f", "{{.Parent}}", each) for each in (old, new)]
    held = node.engine.images()
    assert {old, new} < held.keys()
    assert len(held) == 4
    sizes = {layer: size for each in held.values() for layer, size in each.layers}
    shared = [layer for layer, _size in held[old].layers if layer in dict(held[new].layers)]
    own = sum(sizes.values()) - sum(sizes[layer] for layer in shared)
    assert 0 < own < 100_000
    assert sum(size for _layer, size in held[old].layers) == int(
        docker("image", "inspect", "-f", "{{.Size}}", old)
    )
    container = docker("create", old)
    now = max(each.since for each in held.values()) + 1000

    def collect(size: int) -> set[str]:
        budget = Budget(size, 10**9)
        ImageCollection(node.engine, node.builder.records, budget, 1, lambda: now * 1000).once()
        return set(node.engine.images())

    assert collect(sum(sizes.values())) == held.keys()
    # The older one goes first, but a container is made of it.
    assert old in collect(sum(sizes.values()) - 1)
    assert new not in node.engine.images()
    docker("rm", container)
    assert collect(0) == set()
    assert all(not docker("images", "-q", "--no-trunc", parent) for parent in parents)
    assert node.builder.known_image(node.package(contents[0])) is None
    assert node.build(contents[0]) == old
    assert "adding 3 files" in node.log
