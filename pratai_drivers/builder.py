"""Makes a function's image: the runtime, a layer of dependencies, a layer with its files.

Content-addressed: an image's name is a hash of everything it is made from, so what is there is
never made again, and two functions with the same requirements share a layer.
"""

import hashlib
import time
from collections.abc import Callable, Mapping

from oslo_config import cfg

from pratai_common import limits
from pratai_common.clock import now_ms
from pratai_common.errors import ArchiveMissingError, BuildError, PackageError
from pratai_common.messages import Package
from pratai_common.package import PackageFile, files
from pratai_drivers.dependencies import Layer, layer_of
from pratai_drivers.engines.base import Engine, GivenUp, Print, wanted
from pratai_drivers.folders import node_path
from pratai_drivers.image_records import ImageRecords
from pratai_drivers.installing import Installing
from pratai_drivers.making import Making
from pratai_drivers.registry import Registry
from pratai_drivers.transfers import Fetcher

Observe = Callable[[str, float], None]


class Builder:
    """Finds or makes images on this node. May be called from many threads.

    ``records`` says which images are here, and when they were used. ``observe`` is told how a
    function's image came to be here, ``built`` or ``pulled``, and how many seconds that took.
    """

    def __init__(
        self,
        engine: Engine,
        transfers: Fetcher,
        conf: cfg.ConfigOpts,
        runtimes: Mapping[str, str],
        registry: Registry | None = None,
        observe: Observe = lambda _how, _seconds: None,
    ) -> None:
        self._engine = engine
        self._transfers = transfers
        self._conf = conf
        self._runtimes = runtimes
        self._registry = registry
        self._observe = observe
        self._installing = Installing(engine, conf)
        self._making = Making(conf.build.parallel)
        self.records = ImageRecords(node_path(conf), now_ms)

    def known_image(self, package: Package) -> str | None:
        """Return a package's image if it has been on this node, which the engine is not asked for.

        Whoever finds that it is gone asks for ``image``.
        """
        return self.records.image(self._content(package))

    def image(self, package: Package, say: Print, given_up: GivenUp = wanted) -> str:
        """Return a package's image, made if need be; raises BuildError for its author, and
        TransferError where its zip cannot be fetched now.

        ``say`` gets the build's log as it comes. With ``given_up`` it ends soon, by BuildError.
        """
        runtime = self._runtime(package.runtime, say, given_up)
        content = self._unpack(package, given_up)
        by_path = {path: file.content for path, file in content.items()}
        layer = layer_of(package.project_id, package.runtime, runtime, by_path)
        base = runtime
        if layer is not None:
            base = f"{self._conf.installation}/dependencies:{layer.key[:32]}"
        image = self._name("function", base, package.archive_sha256)
        with (
            self.records.held(base, image),
            self._making.one_at_a_time(image, given_up),
        ):
            if self._engine.has_image(image):
                say(b"the image is there already: same content, same image\n")
            else:
                began, how = time.monotonic(), "pulled"
                if self._registry is None or not self._registry.pull(image, runtime, say):
                    how = "built"
                    self._make(package, runtime, layer, base, image, content, say, given_up)
                self._observe(how, time.monotonic() - began)
            self._engine.unpack(image)
        self.records.made(self._content(package), image)
        return image

    def _make(
        self,
        package: Package,
        runtime: str,
        layer: Layer | None,
        base: str,
        image: str,
        content: Mapping[str, PackageFile],
        say: Print,
        given_up: GivenUp,
    ) -> None:
        if layer is None:
            say(b"no requirements\n")
        else:
            self._install(package, runtime, layer, base, content, say, given_up)
        say(f"adding {len(content)} files\n".encode())
        self._engine.add_files(base, image, content.values())
        if self._registry is not None:
            self._registry.push(image)

    def _install(
        self,
        package: Package,
        runtime: str,
        layer: Layer,
        image: str,
        content: Mapping[str, PackageFile],
        say: Print,
        given_up: GivenUp,
    ) -> None:
        """Make the image with a package's dependencies, if it is not there."""
        with self._making.one_at_a_time(image, given_up):
            if self._engine.has_image(image):
                say(b"the requirements are installed already: same content, same layer\n")
            else:
                with self._making.in_place(given_up):
                    self._installing.install(package, runtime, layer, image, content, say, given_up)
            self.records.used(image)

    def _runtime(self, name: str, say: Print, given_up: GivenUp) -> str:
        """Return a runtime's image, made again if somebody removed it while the node lives."""
        if name not in self._runtimes:
            raise BuildError(f"this node has no runtime {name}")
        with self._making.one_at_a_time(name, given_up):
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

    def _content(self, package: Package) -> str:
        """Return what a package's image is made from: its project, runtime and zip."""
        runtime = self._runtimes.get(package.runtime)
        return f"{package.project_id} {runtime} {package.archive_sha256}"

    def _name(self, kind: str, base: str, sha256: str) -> str:
        digest = hashlib.sha256(f"{base} {sha256}".encode()).hexdigest()
        return f"{self._conf.installation}/{kind}:{digest[:32]}"
