"""What a registry spreads among nodes."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from tests.contract.conftest import MakeConf
from tests.contract.image_nodes import RUN, Node, greeting
from tests.docker_command import docker
from tests.node_api import NodeApi
from tests.ports import free_port
from tests.services import Service
from tests.waiting import until

USER, PASSWORD = "node", "only-nodes-know"


@contextmanager
def docker_login(url: str) -> Iterator[str]:
    """Yield a folder of settings by which the docker command may use the registry."""
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with TemporaryDirectory() as folder:
        settings = {"auths": {url.removeprefix("http://"): {"auth": auth}}}
        Path(folder, "config.json").write_text(json.dumps(settings))
        yield folder


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
