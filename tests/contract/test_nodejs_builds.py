"""What npm is given for a build is used, and found in no layer of what it makes."""

import base64
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from pratai_common.errors import BuildError
from pratai_drivers.builder import Builder
from pratai_drivers.engines.docker import DockerEngine
from pratai_drivers.transfers import Transfers
from tests.contract.conftest import MakeConf
from tests.contract.test_builder import _everything_in
from tests.contract.test_engine import answered, blank_container
from tests.docker_command import docker
from tests.node_api import NodeApi
from tests.packages import npm_package, zipped
from tests.serving import Page, Site

INDEX_SECRET = "planted-in-the-registry-address"
CA_SECRET = "planted-in-the-ca-bundle"
OWN_TEXT = "planted-in-the-function-itself"
RUN = uuid.uuid4().hex
"""In every manifest, so that no layer is there already."""

ARCHIVE = npm_package("tinything")
HASH = f"sha512-{base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode()}"


@pytest.fixture
def registry() -> Iterator[Site]:
    """npm's registry with one package, behind a secret path."""
    site = Site()
    root = f"/{INDEX_SECRET}/tinything"
    archive = f"{root}/-/tinything-1.0.0.tgz"
    of_version = {
        "name": "tinything",
        "version": "1.0.0",
        "dist": {"tarball": f"{site.url}{archive}", "integrity": HASH},
    }
    about = {
        "name": "tinything",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": of_version},
    }
    site.pages = {
        root: Page(json.dumps(about).encode(), "application/json"),
        archive: Page(ARCHIVE, "application/octet-stream"),
    }
    yield site
    site.close()


def _package(text: str, **locked: str) -> bytes:
    """Return the zip of a function with this text that requires the registry's package."""
    wanted = {"dependencies": {"tinything": "1.0.0"}}
    files: dict[str, str | bytes] = {
        "new_module.js": f"// {text}\nexports.main = () => require('tinything').value;\n",
        "package.json": json.dumps({"description": RUN, **wanted}),
    }
    if locked:
        packages = {"": wanted, "node_modules/tinything": {"version": "1.0.0", **locked}}
        files["package-lock.json"] = json.dumps({"lockfileVersion": 3, "packages": packages})
    return zipped(files)


class Building:
    """Builds functions of projects that have none yet; ``log`` is of all of them."""

    def __init__(self, engine: DockerEngine, conf: cfg.ConfigOpts, api: NodeApi) -> None:
        runtimes = engine.prepare(lambda _output: None)
        self.engine, self.runtime = engine, runtimes["nodejs"]
        self._builder = Builder(engine, Transfers(30), conf, runtimes)
        self._api = api
        self.images: list[str] = []
        self.log = b""

    def image(self, content: bytes) -> str:
        package = self._api.package(content, project_id=uuid.uuid4().hex, runtime="nodejs")
        self.images.append(self._builder.image(package, self._say))
        return self.images[-1]

    def _say(self, output: bytes) -> None:
        self.log += output


@pytest.fixture
def building(
    make_conf: MakeConf, node_api: NodeApi, registry: Site, tmp_path: Path
) -> Iterator[Building]:
    bundle = tmp_path / "ca.pem"
    own = make_conf().build.ca_bundle
    if own:
        shutil.copyfile(own, bundle)
    with bundle.open("a") as file:
        file.write(f"\n# {CA_SECRET}\n")
    address = f"{registry.url}/{INDEX_SECRET}/"
    conf = make_conf(ca_bundle=bundle, npm_registry=address, network="host")
    conf.set_override("runtimes", ["nodejs"])
    engine = DockerEngine.from_conf(conf)
    building = Building(engine, conf, node_api)
    engine.open()
    yield building
    for image in building.images:
        docker("rmi", "-f", image)
    engine.close()


def _layer_below(image: str) -> str:
    return docker("image", "inspect", "-f", "{{.Parent}}", image)


def test_settings_are_used_and_in_no_layer(
    building: Building, registry: Site, tmp_path: Path
) -> None:
    held = _everything_in(building.image(_package(OWN_TEXT)), tmp_path)
    assert f"/{INDEX_SECRET}/tinything/-/tinything-1.0.0.tgz" in registry.asked
    assert b"added 1 package" in building.log
    # The positive control: the search finds what is meant to be there.
    assert OWN_TEXT.encode() in held
    assert b"opt/pratai/packages/node_modules/tinything/index.js" in held
    for secret in (INDEX_SECRET, CA_SECRET):
        assert secret.encode() not in held


def test_what_a_lock_pins_is_installed_once_for_all_projects(building: Building) -> None:
    one, other = (building.image(_package(text, integrity=HASH)) for text in ("one", "other"))
    assert building.log.count(b"added 1 package") == 1
    assert b"the requirements are installed already: same content, same layer" in building.log
    assert _layer_below(one) == _layer_below(other)
    # The positive control: what nothing pins is each project's own.
    own = [building.image(_package(text)) for text in ("one", "other")]
    assert _layer_below(own[0]) != _layer_below(own[1])


def test_what_comes_must_be_what_the_lock_says(building: Building) -> None:
    with pytest.raises(BuildError, match="installing the requirements failed"):
        building.image(_package("", integrity=f"sha512-{'A' * 86}=="))
    assert b"npm ERR! code EINTEGRITY" in building.log


IMPORTS = "import { context } from 'pratai'; import { value } from 'tinything';"
REQUIRES = "const { context } = require('pratai'); const { value } = require('tinything');"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("new_module.mjs", f"{IMPORTS} export const main = () => [value, context.request_id];"),
        ("new_module.js", f"{REQUIRES} exports.main = () => [value, context.request_id];"),
    ],
)
def test_a_blank_container_becomes_a_functions(
    building: Building, tmp_path: Path, name: str, module: str
) -> None:
    """What it requires is found where it was mounted after Node had started."""
    manifest = json.dumps({"dependencies": {"tinything": "1.0.0"}})
    image = building.image(zipped({name: module, "package.json": manifest}))
    with blank_container(building.engine, building.runtime, tmp_path / "run") as (blank, link):
        files = blank.give(image, 64, 1.0)
        assert files is not None
        ending = answered(blank, files, image, link, b"null")
    assert (ending.message, ending.output) == (None, b'[7,"r"]')
