"""``pratai-scheduler`` as a process."""

import subprocess
from pathlib import Path

from tests.stack import BIN


def test_heartbeats_that_are_too_rare_are_refused(tmp_path: Path) -> None:
    """Nodes would be given nothing from the time that their words are old until the next ones."""
    conf = tmp_path / "pratai.conf"
    lines = ["[DEFAULT]", f"state_path = {tmp_path}", "[sockets]", "security = plain"]
    conf.write_text("\n".join([*lines, "[driver]", "heartbeat_seconds = 4", ""]))
    ended = [
        subprocess.run(
            [BIN / script, "--config-file", conf], capture_output=True, text=True, check=False
        )
        for script in ("pratai-db-init", "pratai-scheduler")
    ]
    assert [each.returncode for each in ended] == [0, 1]
    assert "[driver] heartbeat_seconds is too long" in ended[1].stderr
    assert "at most 3.333 s" in ended[1].stderr
