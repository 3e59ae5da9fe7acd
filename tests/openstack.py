"""The openstack stack as an operator takes it up, with ``deploy/openstack.sh``: real servers, free
ports, a folder of its own.
"""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.ports import free_port

_SCRIPT = Path(__file__).parent.parent / "deploy" / "openstack.sh"
_PORTS = ("API", "API1", "API2", "API3", "SCHEDULER", "COLLECTOR", "DRIVER", "DRIVER2",
          "ELASTICSEARCH", "KEYSTONE", "SWIFT", "BARBICAN", "RABBITMQ", "POSTGRESQL")  # fmt: skip


class OpenStack:
    """One stack. ``user``, ``admin`` and ``other`` are the variables of its users."""

    def __init__(self) -> None:
        # Elasticsearch and nginx's workers are nobody, who must be able to enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="pratai-openstack-"))
        self.folder.chmod(0o755)
        self.ports = {name: free_port() for name in _PORTS}
        self.url = f"http://127.0.0.1:{self.ports['API']}"
        self.conf = self.folder / "openstack" / "pratai.conf"

    def start(self) -> "OpenStack":
        self._run("up")
        self.user, self.admin, self.other = (
            self._variables(name) for name in ("clientrc", "adminrc", "otherrc")
        )
        return self

    def stop(self) -> None:
        self._run("down")

    def remove(self) -> None:
        """Stop it and forget what was in it."""
        self.stop()
        shutil.rmtree(self.folder)

    def pratai(self, who: dict[str, str], *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Run the command line client as somebody."""
        return subprocess.run(
            ["pratai", *map(str, arguments)], check=False, capture_output=True, text=True, env=who
        )

    def answer(self, who: dict[str, str], *arguments: object) -> Any:
        """Return what a command of the client shows, which must succeed."""
        done = self.pratai(who, *arguments, "-f", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, what: str) -> None:
        ports = {f"PRATAI_{name}_PORT": str(port) for name, port in self.ports.items()}
        environment = {**os.environ, **ports, "PRATAI_RUN": str(self.folder)}
        subprocess.run([_SCRIPT, what], check=True, env=environment)

    def _variables(self, name: str) -> dict[str, str]:
        """Return the environment of a shell that has sourced a file of the stack's."""
        script = f". {shlex.quote(str(self.folder / name))} && env -0"
        command = ["env", "-i", f"PATH={os.environ['PATH']}", "bash", "-c", script]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return dict(each.split("=", 1) for each in output.split("\0") if each)
