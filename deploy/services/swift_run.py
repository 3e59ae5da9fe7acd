"""Runs a server of Swift with swift.conf in a folder of its own: swift_run.py ETC SERVER CONF.

Swift reads /etc/swift/swift.conf, by a name that no setting changes, while it is imported.
"""

import runpy
import sys
from pathlib import Path

import swift.common.storage_policy
import swift.common.utils


def main(etc: str, server: str, conf: str) -> None:
    """Be the server."""
    swift.common.utils.SWIFT_CONF_FILE = str(Path(etc) / "swift.conf")
    swift.common.storage_policy.reload_storage_policies()
    sys.argv = [server, conf]
    runpy.run_path(server, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
