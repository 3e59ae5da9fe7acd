"""``pratai-launcher``: supervisord with one program a console script.

Supervisor starts them, starts one again that dies, and on SIGTERM stops them in the order below,
last first: what takes work in ends before what finishes it.
"""

import configparser
import os
import sys
from pathlib import Path

from oslo_config import cfg

from pratai_common import conf as configuration

PROGRAMS = ("pratai-collector", "pratai-scheduler", "pratai-driver", "pratai-api", "pratai-agent")
_SLACK_SECONDS = 15
"""What a daemon may take to end beyond its own grace time, before it is killed."""


def main() -> int:
    """Write Supervisor's configuration, then become supervisord."""
    arguments = sys.argv[1:]
    conf = configuration.load("pratai-launcher", arguments)
    settings = supervisor_settings(conf, arguments)
    path = configuration.state_path(conf, "supervisord.conf")
    with path.open("w") as file:
        settings.write(file)
    program = _program("supervisord")
    os.execv(  # noqa: S606 - the launcher becomes supervisord, and keeps its pid
        program, [program, "--nodaemon", "--configuration", str(path)]
    )


def supervisor_settings(conf: cfg.ConfigOpts, arguments: list[str]) -> configparser.RawConfigParser:
    """Return Supervisor's configuration for all programs, each with the launcher's arguments."""
    settings = configparser.RawConfigParser()
    settings["supervisord"] = {
        "nodaemon": "true",
        "logfile": "/dev/null",
        "logfile_maxbytes": "0",
        "pidfile": str(configuration.state_path(conf, "supervisord.pid")),
    }
    if os.getuid() == 0:
        # Said explicitly, or Supervisor warns about it at every start.
        settings["supervisord"]["user"] = "root"
    for number, name in enumerate(PROGRAMS, 1):
        words = [_program(name), *arguments]
        settings[f"program:{name}"] = {
            "command": " ".join(_quoted(word) for word in words),
            "priority": str(number),
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "1000000",
            "stopwaitsecs": str(2 * conf.grace_seconds + _SLACK_SECONDS),
            "stdout_logfile": "/dev/null",
            "stderr_logfile": str(_log_path(conf, name)),
            "stderr_logfile_maxbytes": "10MB",
            "stderr_logfile_backups": "1",
        }
    return settings


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _log_path(conf: cfg.ConfigOpts, name: str) -> Path:
    """Return where a program's stderr goes: what it says before, and beside, its own log."""
    folder = Path(conf.log_dir) if conf.log_dir else configuration.state_path(conf, "log")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.stderr"


def _quoted(word: str) -> str:
    """Quote a word as Supervisor reads it: like a shell, and with % doubled."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
