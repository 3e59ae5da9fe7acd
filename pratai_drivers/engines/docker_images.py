"""The images that are Pratai's own: the seed, the runtimes on it, and the packet filter's tool.

Each is named by a hash of what it is made from, and made only where that name is missing.
"""

import hashlib
import importlib.resources
import io
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docker
import requests
from oslo_config import cfg

from pratai_common.errors import EngineError
from pratai_common.package import PackageFile
from pratai_drivers.engines.base import Print
from pratai_drivers.engines.docker_client import connect
from pratai_drivers.engines.docker_tar import packed

_RUNTIMES = Path(str(importlib.resources.files("pratai_runtimes")))
_NETRULES = Path(__file__).parent.parent / "netrules"
_RUNTIME_NAME = re.compile("[a-z0-9][a-z0-9._-]{0,62}")
_MMDEBSTRAP_SECONDS = 600
_INDEX_FORMAT = "$(REPO_URI)|$(SUITE)|$(CODENAME)|$(RELEASE)|$(COMPONENT)"


class Images:
    """Finds or makes images; ``say`` is told of each step that takes time."""

    def __init__(self, client: Any, conf: cfg.ConfigOpts, labels: dict[str, str], say: Print):
        self._client = client
        self._conf = conf
        self._labels = labels
        self._say = say
        self._seed_image: str | None = None

    def runtimes(self) -> dict[str, str]:
        """Return the image of each runtime; raises EngineError for one that does not exist.

        Those of folders may be made from a built-in one: ``python3``, or one that is configured.
        """
        built_in = {name: self._built_in(name) for name in self._conf.runtimes}
        folders = {Path(folder).name: Path(folder) for folder in self._conf.runtime_folders}
        return {**built_in, **{name: self._own(name, path) for name, path in folders.items()}}

    def _built_in(self, name: str) -> str:
        if name == "seed":
            raise EngineError("there is no runtime seed")
        return self._built(f"runtime-{name}", _RUNTIMES / name, {"SEED": self._seed()})

    def _own(self, name: str, folder: Path) -> str:
        """Return the image of a folder that the configuration names."""
        if not _RUNTIME_NAME.fullmatch(name):
            raise EngineError(f"the folder {folder} has no name that a runtime can have")
        built_in = sorted({"python3", *self._conf.runtimes})
        bases = {"SEED": self._seed(), **{each.upper(): self._built_in(each) for each in built_in}}
        return self._built(f"runtime-{name}", folder, bases)

    def netrules(self) -> str:
        """Return the image that sets the packet filter's rules."""
        return self._built("netrules", _NETRULES, {"SEED": self._seed()})

    def _seed(self) -> str:
        if self._seed_image is None:
            source = self._conf.build.seed_image
            image = self._name("seed", _RUNTIMES / "seed", [source])
            if not self._exists(image):
                self._build(image, _RUNTIMES / "seed", {"IMAGE": self._debian(source)})
            self._seed_image = image
        return self._seed_image

    def _debian(self, image: str) -> str:
        """Return a minimal Debian: from a registry if one gives it quickly, else made here."""
        if self._exists(image):
            return image
        seconds = self._conf.build.seed_seconds
        self._tell(f"asking the registry for {image} (at most {seconds} s)")
        try:
            self._pull(image, seconds)
        except (docker.errors.DockerException, requests.RequestException, TimeoutError) as error:
            self._tell(f"not to be had there ({error}); making it with mmdebstrap")
            return self._bootstrap()
        return image

    def _pull(self, image: str, seconds: int) -> None:
        client = connect(seconds)
        ends = time.monotonic() + seconds
        for event in client.pull(image, stream=True, decode=True):
            if "error" in event:
                raise docker.errors.DockerException(event["error"])
            if time.monotonic() > ends:
                raise TimeoutError("it took too long")

    def _bootstrap(self) -> str:
        if shutil.which("mmdebstrap") is None:
            raise EngineError("there is no base image, and no mmdebstrap to make one with")
        release, lines = _apt_sources()
        with tempfile.NamedTemporaryFile(suffix=".tar") as tar:
            arguments = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar"]
            arguments += ["--include=ca-certificates", release, "-", *lines]
            made = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=tar,
                stderr=subprocess.PIPE,
                umask=0o022,
                timeout=_MMDEBSTRAP_SECONDS,
                check=False,
            )
            if made.returncode != 0:
                tail = made.stderr.decode(errors="replace")[-500:]
                raise EngineError(f"mmdebstrap failed: {tail}")
            self._tell("importing it")
            image = f"{self._conf.installation}/debian:{release}"
            repository, tag = image.split(":")
            said = self._client.import_image(tar.name, repository=repository, tag=tag)
            if "error" in said:
                raise EngineError(f"Docker did not import the base image: {said}")
        return image

    def _built(self, name: str, folder: Path, bases: Mapping[str, str]) -> str:
        if not (folder / "Dockerfile").is_file():
            raise EngineError(f"there is no Dockerfile in {folder}")
        image = self._name(name, folder, bases.values())
        if not self._exists(image):
            self._build(image, folder, bases)
        return image

    def _build(self, image: str, folder: Path, arguments: Mapping[str, str]) -> None:
        self._tell(f"making image {image}")
        network = self._conf.build.network
        said = []
        for event in self._client.build(
            fileobj=_context(folder),
            custom_context=True,
            tag=image,
            buildargs=dict(arguments),
            labels=self._labels,
            network_mode=None if network in ("bridge", "none") else network,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            said.append(event.get("stream", ""))
            if "error" in event:
                raise EngineError(f"making {image} failed: {''.join(said[-20:])}{event['error']}")

    def _name(self, name: str, folder: Path, bases: Iterable[str]) -> str:
        digest = hashlib.sha256(" ".join(bases).encode())
        for path in _files(folder):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(json.dumps([path.name, content]).encode())
        return f"{self._conf.installation}/{name}:{digest.hexdigest()[:16]}"

    def _exists(self, image: str) -> bool:
        try:
            self._client.inspect_image(image)
        except docker.errors.ImageNotFound:
            return False
        return True

    def _tell(self, text: str) -> None:
        self._say(f"{text}\n".encode())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".pyc")


def _context(folder: Path) -> io.BytesIO:
    """Pack a folder's files as a build context that is the same wherever it lies."""
    files = (PackageFile(path.name, path.read_bytes(), False) for path in _files(folder))
    return io.BytesIO(packed(files))


def _apt_sources() -> tuple[str, list[str]]:
    """Return this machine's Debian release, and its apt sources of Debian as one-line entries."""
    listed = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            _INDEX_FORMAT,
            "Created-By: Packages",
            "Origin: Debian",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    entries = {
        tuple(line.split("|")) for line in listed.stdout.splitlines() if line.count("|") == 4
    }
    lines = sorted(f"deb {entry[0]} {entry[3]} {entry[4]}" for entry in entries)
    releases = [entry[3] for entry in entries if entry[3] == entry[2]]
    if not releases:
        raise EngineError("apt knows no sources of Debian here: run apt-get update")
    # The release itself, not its updates: those have no essential packages of their own.
    return min(releases, key=len), lines
