"""Stored bytes that are too large for a record: zips, large inputs, large results."""

from oslo_config import cfg

from pratai_common.archives.base import Archives
from pratai_common.archives.filesystem import FilesystemArchives
from pratai_common.conf import state_path


def open_archives(conf: cfg.ConfigOpts) -> Archives:
    """Open the archives that the configuration names."""
    return FilesystemArchives(state_path(conf, "archives"))


__all__ = ["Archives", "open_archives"]
