"""``pratai-launcher``: supervisord with the console scripts that ``[launcher] programs`` lists.

Supervisor starts them, starts one again that dies, and on SIGTERM stops them in the order below,
last first: what takes work in ends before what finishes it. An instance, as ``pratai-api@1``, reads
a file of its own after all others, as it does under systemd.
"""

import configparser
import os
import sys
from pathlib import Path

from oslo_config import cfg

from pratai_common import conf as configuration

SLACK_SECONDS = 15
"""What a daemon may take to end beyond its own grace time, before it is killed."""

_BEHIND_THE_API = {"pratai-scheduler", "pratai-collector", "pratai-driver"}
_YIELDING = ("nice", "-n", "10")
"""What is accepted is worked off with the processor time that accepting leaves: the store holds the
backlog, and nobody holds what could not be accepted. Containers are Docker's, and yield to nobody.
"""


def main() -> int:
    """Write Supervisor's configuration, then become supervisord."""
    arguments = sys.argv[1:]
    conf = configuration.load("pratai-launcher", arguments)
    for name in conf.launcher.programs:
        if (own := own_file(conf, name)) and not own.is_file():
            sys.exit(f"{name} has no configuration file {own}")
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
    for number, name in enumerate(conf.launcher.programs, 1):
        program = name.partition("@")[0]
        words = [_program(program), *_arguments(conf, arguments, name)]
        if program in _BEHIND_THE_API:
            words[:0] = _YIELDING
        settings[f"program:{name}"] = {
            "command": " ".join(_quoted(word) for word in words),
            "priority": str(number),
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "1000000",
            "stopwaitsecs": str(2 * conf.grace_seconds + SLACK_SECONDS),
            "stdout_logfile": "/dev/null",
            "stderr_logfile": str(_log_path(conf, name)),
            "stderr_logfile_maxbytes": "10MB",
            "stderr_logfile_backups": "1",
        }
    return settings


def own_file(conf: cfg.ConfigOpts, name: str) -> Path | None:
    """Return the configuration file of an instance; a program that runs once has none."""
    if "@" not in name:
        return None
    folder = Path(conf.config_file[-1]).parent if conf.config_file else Path("/etc/pratai")
    return folder / f"{name}.conf"


def _arguments(conf: cfg.ConfigOpts, arguments: list[str], name: str) -> list[str]:
    """Return a program's arguments: the launcher's, and an instance's own file after them.

    A file that is named hides those that are found by themselves, so that these are named too.
    """
    own = own_file(conf, name)
    if own is None:
        return arguments
    files = [] if any(_names_a_file(word) for word in arguments) else conf.config_file
    found = [word for file in files for word in ("--config-file", file)]
    return [*found, *arguments, "--config-file", str(own)]


def _names_a_file(word: str) -> bool:
    return word.partition("=")[0] == "--config-file"


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
