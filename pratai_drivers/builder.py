"""Makes a function's image: the runtime, a layer of dependencies, a layer with its files.

Content-addressed: an image's name is a hash of everything it is made from, so what is there is
never made again, and two functions with the same requirements share a layer.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp

from oslo_config import cfg

from pratai_common import limits
from pratai_common.errors import ArchiveMissingError, BuildError, PackageError
from pratai_common.messages import Package
from pratai_common.package import PackageFile, files
from pratai_drivers.dependencies import layer_key
from pratai_drivers.engines.base import BuildSpec, Engine, GivenUp, Print, wanted
from pratai_drivers.folders import builds_path
from pratai_drivers.transfers import Transfers

_LOOK_SECONDS = 0.5
_Content = tuple[str, str, str]


@dataclass
class _Making:
    """An image that is made, and how many threads make it or wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class Builder:
    """Finds or makes images on this node. May be called from many threads."""

    def __init__(
        self,
        engine: Engine,
        transfers: Transfers,
        conf: cfg.ConfigOpts,
        runtimes: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._transfers = transfers
        self._conf = conf
        self._runtimes = runtimes
        self._images: dict[_Content, str] = {}
        self._making: dict[str, _Making] = {}
        self._making_lock = threading.Lock()

    def known_image(self, package: Package) -> str | None:
        """Return a package's image if it has been on this node since the node started."""
        image = self._images.get(_content(package))
        return image if image is not None and self._engine.has_image(image) else None

    def image(self, package: Package, say: Print, given_up: GivenUp = wanted) -> str:
        """Return a package's image, made if need be; raises BuildError for its author, and
        TransferError where its zip cannot be fetched now.

        ``say`` gets the build's log as it comes. With ``given_up`` it ends soon, by BuildError.
        """
        runtime = self._runtime(package.runtime, say, given_up)
        content = self._unpack(package, given_up)
        base = self._dependencies(package, runtime, content, say, given_up)
        image = self._name("function", base, package.archive_sha256)
        with self._one_at_a_time(image, given_up):
            if self._engine.has_image(image):
                say(b"the image is there already: same content, same image\n")
            else:
                say(f"adding {len(content)} files\n".encode())
                self._engine.add_files(base, image, content.values())
        self._images[_content(package)] = image
        return image

    def _runtime(self, name: str, say: Print, given_up: GivenUp) -> str:
        """Return a runtime's image, made again if somebody removed it while the node lives."""
        if name not in self._runtimes:
            raise BuildError(f"this node has no runtime {name}")
        with self._one_at_a_time(name, given_up):
            if not self._engine.has_image(self._runtimes[name]):
                say(b"the image of the runtime is gone: making it again\n")
                self._runtimes = self._engine.prepare(say)
            return self._runtimes[name]

    def _unpack(self, package: Package, given_up: GivenUp) -> dict[str, PackageFile]:
        try:
            zipped = self._transfers.fetch(
                package.archive_url, package.archive_sha256, limits.MAX_ZIP_BYTES, given_up
            )
            return {file.path: file for file in files(zipped)}
        except ArchiveMissingError as error:
            raise BuildError("the uploaded zip is no longer stored") from error
        except PackageError as error:
            raise BuildError(str(error)) from error

    def _dependencies(
        self,
        package: Package,
        runtime: str,
        content: dict[str, PackageFile],
        say: Print,
        given_up: GivenUp,
    ) -> str:
        """Return the image with the package's dependencies: the runtime if there are none."""
        by_path = {path: file.content for path, file in content.items()}
        key = layer_key(package.project_id, runtime, by_path)
        if key is None:
            say(b"no requirements\n")
            return runtime
        image = f"{self._conf.installation}/dependencies:{key[:32]}"
        with self._one_at_a_time(image, given_up):
            if self._engine.has_image(image):
                say(b"the requirements are installed already: same content, same layer\n")
            else:
                say(b"installing the requirements\n")
                self._install(runtime, image, content, say, given_up)
        return image

    def _install(
        self,
        runtime: str,
        image: str,
        content: dict[str, PackageFile],
        say: Print,
        given_up: GivenUp,
    ) -> None:
        options = self._conf.build
        with self._settings(content) as (settings, find_links):
            self._engine.install(
                BuildSpec(
                    name=f"{self._conf.installation}-{self._conf.driver.name}-build-"
                    f"{settings.name}",
                    base=runtime,
                    image=image,
                    settings=settings,
                    find_links=find_links,
                    network=options.network,
                    memory=options.memory,
                    cpus=options.cpus,
                    pids=options.pids,
                    disk=options.disk_mb,
                    timeout=options.timeout,
                    given_up=given_up,
                ),
                say,
            )

    @contextmanager
    def _settings(self, content: dict[str, PackageFile]) -> Iterator[tuple[Path, Path | None]]:
        """Lay out what a build sees as /run/build: the package, pip's settings, the CA bundle."""
        parent = builds_path(self._conf)
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=parent, prefix=""))
        folder.chmod(0o755)
        try:
            _write_package(folder / "package", content)
            find_links = self._local_find_links()
            if find_links is not None:
                (folder / "find-links").mkdir()
            (folder / "pip.conf").write_text(self._pip_conf(find_links))
            if self._conf.build.ca_bundle:
                copyfile(self._conf.build.ca_bundle, folder / "ca.pem")
            for path in folder.iterdir():
                path.chmod(0o755 if path.is_dir() else 0o644)
            yield folder, find_links
        finally:
            rmtree(folder, ignore_errors=True)

    def _local_find_links(self) -> Path | None:
        find_links = self._conf.build.pip_find_links
        if find_links and Path(find_links).is_dir():
            return Path(find_links)
        return None

    def _pip_conf(self, find_links: Path | None) -> str:
        options = self._conf.build
        remote_links = None if find_links is not None else _url(options.pip_find_links)
        settings = {
            "index-url": options.pip_index_url,
            "extra-index-url": options.pip_extra_index_url,
            "find-links": "/run/build/find-links" if find_links is not None else remote_links,
            "cert": "/run/build/ca.pem" if options.ca_bundle else None,
        }
        lines = [f"{name} = {value}" for name, value in settings.items() if value]
        return "\n".join(["[global]", *lines, ""])

    def _name(self, kind: str, base: str, sha256: str) -> str:
        digest = hashlib.sha256(f"{base} {sha256}".encode()).hexdigest()
        return f"{self._conf.installation}/{kind}:{digest[:32]}"

    @contextmanager
    def _one_at_a_time(self, image: str, given_up: GivenUp) -> Iterator[None]:
        """Let one thread make an image while others that want it wait for it."""
        with self._making_lock:
            making = self._making.setdefault(image, _Making())
            making.threads += 1
        try:
            with _locked(making.lock, given_up):
                yield
        finally:
            with self._making_lock:
                making.threads -= 1
                if not making.threads:
                    del self._making[image]


@contextmanager
def _locked(lock: threading.Lock, given_up: GivenUp) -> Iterator[None]:
    """Hold a lock; raises BuildError instead when nobody wants what it is for any more."""
    while not lock.acquire(timeout=_LOOK_SECONDS):
        if given_up():
            raise BuildError("given up while another build of the same image was waited for")
    try:
        if given_up():
            raise BuildError("given up before it began")
        yield
    finally:
        lock.release()


def _content(package: Package) -> _Content:
    """Return what a package's image is made from: its project, runtime and zip."""
    return package.project_id, package.runtime, package.archive_sha256


def _url(value: str | None) -> str | None:
    """Return a setting if it is a URL: a folder that is not there is no use to a build."""
    return value if value and "://" in value else None


def _write_package(root: Path, content: dict[str, PackageFile]) -> None:
    for file in content.values():
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
