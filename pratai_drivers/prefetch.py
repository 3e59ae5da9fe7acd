"""Which of a function's requirements a node downloads wheels of by itself, for all projects. Pure.

Only what an index is asked for by name: who asks decides nothing about what comes. A line that
names a file, an address or an option is left to the build.
"""

from collections.abc import Mapping

from pratai_common.package import PackageFile
from pratai_common.python_source import REQUIREMENTS
from pratai_drivers.python_requirements import asks_by_name, requirement_lines

PROGRAM = "fetch"
"""The program of a runtime that downloads and runs nothing of what it gets."""

RUNTIMES = ("python3",)
"""The runtimes that have it."""

DOWNLOADED = "http"
"""How the folders begin in which pip keeps what it downloaded, and nothing that it made."""


def prefetched(files: Mapping[str, PackageFile]) -> PackageFile | None:
    """Return requirements that say what is to be downloaded, ``None`` where nothing is."""
    if REQUIREMENTS not in files:
        return None
    lines = (" ".join(line.split()) for line in requirement_lines(files[REQUIREMENTS].content))
    plain = [line for line in lines if asks_by_name(line)]
    # With one hash pip wants one for each.
    hashed = [line for line in plain if "--hash" in line]
    wanted = hashed or plain
    if not wanted:
        return None
    return PackageFile(REQUIREMENTS, "\n".join([*wanted, ""]).encode(), False)
