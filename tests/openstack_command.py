"""The real ``openstack`` command, with Pratai's plug-in."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.stack import BIN

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
"""Where it is noted which plug-ins are installed: to find them again takes seconds."""


class OpenStackCommand:
    """Runs it in an environment of its own, where nothing else says who logs in, and how."""

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        own = {"no_proxy": "*", "HOME": str(folder), "XDG_CACHE_HOME": str(_CACHE)}
        self._environment = {**kept, **own, **variables}
        self._folder = folder

    def __call__(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BIN / "openstack", *arguments],
            env={**self._environment, **variables},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def json(self, *arguments: str, **variables: str) -> Any:
        """Return what a command that ends well says."""
        done = self(*arguments, "-f", "json", **variables)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def refused(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Return the exit code and the one line that a failure says."""
        done = self(*arguments, **variables)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        return done.returncode, lines[0]
