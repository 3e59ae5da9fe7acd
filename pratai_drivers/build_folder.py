"""What a build sees as ``/run/build``: the package, pip's and npm's settings, the CA bundle."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp

from oslo_config import cfg

from pratai_common.package import PackageFile
from pratai_drivers.folders import builds_path

FIND_LINKS = "find-links"
_CA_BUNDLE = "/run/build/ca.pem"


@contextmanager
def build_folder(
    conf: cfg.ConfigOpts, content: Iterable[PackageFile], mount_points: Iterable[str] = ()
) -> Iterator[Path]:
    """Lay it out while the block runs, with empty folders where others are to be mounted."""
    parent = builds_path(conf)
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=parent, prefix=""))
    folder.chmod(0o755)
    try:
        _write_package(folder / "package", content)
        for name in mount_points:
            (folder / name).mkdir()
        (folder / "pip.conf").write_text(_pip_conf(conf))
        (folder / "npmrc").write_text(_npmrc(conf))
        if conf.build.ca_bundle:
            copyfile(conf.build.ca_bundle, folder / "ca.pem")
        for path in folder.iterdir():
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def find_links(conf: cfg.ConfigOpts) -> Path | None:
    """Return the folder on this node that has packages for builds, if there is one."""
    path = conf.build.pip_find_links
    return Path(path) if path and Path(path).is_dir() else None


def _pip_conf(conf: cfg.ConfigOpts) -> str:
    options = conf.build
    here = find_links(conf) is not None
    settings = {
        "index-url": options.pip_index_url,
        "extra-index-url": options.pip_extra_index_url,
        "find-links": f"/run/build/{FIND_LINKS}" if here else _url(options.pip_find_links),
        "cert": _CA_BUNDLE if options.ca_bundle else None,
    }
    return _lines("[global]", settings)


def _npmrc(conf: cfg.ConfigOpts) -> str:
    options = conf.build
    settings = {
        "registry": options.npm_registry,
        "cafile": _CA_BUNDLE if options.ca_bundle else None,
    }
    return _lines("; of the node", settings)


def _lines(head: str, settings: Mapping[str, str | None]) -> str:
    lines = [f"{name} = {value}" for name, value in settings.items() if value]
    return "\n".join([head, *lines, ""])


def _url(value: str | None) -> str | None:
    """Return a setting if it is a URL: a folder that is not there is no use to a build."""
    return value if value and "://" in value else None


def _write_package(root: Path, content: Iterable[PackageFile]) -> None:
    root.mkdir()
    for file in content:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
