"""The process around a node, with an engine that does nothing."""

import subprocess
import sys
from pathlib import Path

SERVE = """
import signal
import sys

from pratai_common import conf as configuration
from pratai_common.daemon import Stop
from pratai_drivers.daemon import serve
from pratai_drivers.engines.null import NullEngine


class Impatient(NullEngine):
    def close(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        print("closed", flush=True)


conf = configuration.load("test", ["--config-file", sys.argv[1]])
engine = Impatient(["python3"])
stop = Stop()
signal.raise_signal(signal.SIGTERM)
serve(conf, engine, engine.prepare(lambda output: None), None, stop)
print("ended", flush=True)
"""


def test_a_second_signal_does_not_keep_a_node_from_cleaning_up(tmp_path: Path) -> None:
    conf = tmp_path / "pratai.conf"
    address = "tcp://127.0.0.1:9"
    lines = ["[DEFAULT]", f"state_path = {tmp_path}", "[driver]", "bind = tcp://127.0.0.1:0"]
    lines += ["[sockets]", "security = plain"]
    lines += [f"scheduler = {address}", f"collector = {address}", ""]
    conf.write_text("\n".join(lines))
    ended = subprocess.run(
        [sys.executable, "-c", SERVE, conf], capture_output=True, text=True, check=False
    )
    assert ended.stdout.splitlines() == ["closed", "ended"], ended.stderr
    assert ended.returncode == 0
