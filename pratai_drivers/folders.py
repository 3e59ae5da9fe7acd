"""Where a node keeps what is its own. What only its process needs is removed at its next start."""

from pathlib import Path

from oslo_config import cfg

from pratai_common.conf import state_path


def node_path(conf: cfg.ConfigOpts) -> Path:
    """Return the folder of this node, beside those of others that share the state folder."""
    return state_path(conf, "nodes", conf.driver.name)


def runs_path(conf: cfg.ConfigOpts) -> Path:
    """Return the folder that holds a folder for each run."""
    return node_path(conf) / "runs"


def builds_path(conf: cfg.ConfigOpts) -> Path:
    """Return the folder that holds a folder for each build."""
    return node_path(conf) / "builds"


def cache_path(conf: cfg.ConfigOpts) -> Path:
    """Return the folder that holds what builds have left for later ones."""
    return node_path(conf) / "cache"


def unpacked_path(conf: cfg.ConfigOpts) -> Path:
    """Return the folder that holds functions' files for blank containers."""
    return node_path(conf) / "unpacked"


def points_path(node: Path) -> Path:
    """Return the folder in which a node, whose folder this is, mounts files for containers."""
    return node.resolve() / "points"
