"""Installs what functions require, in throwaway containers, with what builds before have left."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from oslo_config import cfg

from pratai_common import limits
from pratai_common.errors import BuildError, EngineError
from pratai_common.messages import Package
from pratai_common.package import PackageFile
from pratai_drivers import prefetch
from pratai_drivers.build_cache import BuildCache
from pratai_drivers.build_folder import FIND_LINKS, build_folder, find_links
from pratai_drivers.build_pipe import PIPE
from pratai_drivers.dependencies import Layer
from pratai_drivers.engines.base import BuildSpec, Engine, GivenUp, Print
from pratai_drivers.folders import cache_path

_OWN, _SHARED = "cache", "shared"
"""Where in ``/run/build`` a build finds what its project has, and what all have."""

_PREFETCH_SECONDS = 120
"""More of the time of a build is not spent on what it can do without."""


class Installing:
    """Makes layers of dependencies. May be used from many threads."""

    def __init__(self, engine: Engine, conf: cfg.ConfigOpts) -> None:
        self._engine = engine
        self._conf = conf
        folder, options = cache_path(conf), conf.build
        self._own = BuildCache(folder / "projects", options.cache_mb * limits.MIB)
        # One owner for each runtime: what one project wants is there for all others.
        self._shared = BuildCache(
            folder / "shared",
            options.shared_cache_mb * limits.MIB,
            share=1,
            begin=prefetch.DOWNLOADED,
        )

    def install(
        self,
        package: Package,
        runtime: str,
        layer: Layer,
        image: str,
        content: Mapping[str, PackageFile],
        say: Print,
        given_up: GivenUp,
    ) -> None:
        """Make the image ``image`` of a runtime's with what a package requires.

        What is made for all projects sees neither other files of the package than the layer's key
        covers, nor what builds of the project have left: a pip or npm that reads them could be made
        to do something else. Raises BuildError where that cannot be installed, or is ``given_up``.
        """
        self._prefetch(package, runtime, content, say, given_up)
        say(b"installing the requirements\n")
        owner = f"{package.project_id} {package.runtime}"
        seen = {path: content[path] for path in layer.named} if layer.shareable else content
        with (
            self._folder(seen) as (settings, folders),
            self._shared.seen(package.runtime) as shared,
            self._own.opened(owner, settings / PIPE) as own,
        ):
            if shared is not None:
                folders[_SHARED] = shared
            if own is not None and not layer.shareable:
                folders[_OWN] = own
            self._engine.install(self._spec(settings, folders, runtime, image, given_up), say)

    def _prefetch(
        self,
        package: Package,
        runtime: str,
        content: Mapping[str, PackageFile],
        say: Print,
        given_up: GivenUp,
    ) -> None:
        """Download wheels for all projects; where that fails, the build does it for its own."""
        wanted = prefetch.prefetched(content)
        if wanted is None or package.runtime not in prefetch.RUNTIMES:
            return
        with (
            self._folder({wanted.path: wanted}) as (settings, folders),
            self._shared.opened(package.runtime, settings / PIPE) as shared,
        ):
            if shared is None:
                return
            say(b"downloading wheels\n")
            folders[_SHARED] = shared
            spec = self._spec(settings, folders, runtime, None, given_up)
            try:
                self._engine.install(
                    spec._replace(
                        program=prefetch.PROGRAM,
                        timeout=min(spec.timeout, _PREFETCH_SECONDS),
                    ),
                    say,
                )
            except (BuildError, EngineError) as error:
                say(f"not all can be had as wheels: {error}\n".encode())

    @contextmanager
    def _folder(self, content: Mapping[str, PackageFile]) -> Iterator[tuple[Path, dict[str, Path]]]:
        """Lay out what a build sees, and say what else is mounted there."""
        links = find_links(self._conf)
        folders = {} if links is None else {FIND_LINKS: links}
        mount_points = (*folders, _OWN, _SHARED)
        with build_folder(self._conf, content.values(), mount_points) as settings:
            yield settings, folders

    def _spec(
        self,
        settings: Path,
        folders: Mapping[str, Path],
        base: str,
        image: str | None,
        given_up: GivenUp,
    ) -> BuildSpec:
        options = self._conf.build
        return BuildSpec(
            name=f"{self._conf.installation}-{self._conf.driver.name}-build-{settings.name}",
            base=base,
            image=image,
            settings=settings,
            folders=folders,
            network=options.network,
            memory=options.memory,
            cpus=options.cpus,
            pids=options.pids,
            disk=options.disk_mb,
            timeout=options.timeout,
            given_up=given_up,
        )
