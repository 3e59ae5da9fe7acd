"""What Supervisor is told to run."""

from pathlib import Path

import pytest

from pratai_common import conf as configuration
from pratai_launcher.daemon import supervisor_settings


@pytest.mark.parametrize(
    ("program", "yields"),
    [
        ("pratai-api", False),
        ("pratai-agent", False),
        ("pratai-scheduler", True),
        ("pratai-collector", True),
        ("pratai-driver", True),
    ],
)
def test_what_works_off_yields_to_what_accepts(tmp_path: Path, program: str, yields: bool) -> None:
    file = tmp_path / "pratai.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    arguments = ["--config-file", str(file)]
    settings = supervisor_settings(configuration.load("launcher", arguments), arguments)
    command = settings[f"program:{program}"]["command"]
    assert command.startswith('"nice" "-n" "10" "') is yields
    assert f'/{program}" "--config-file" "{file}"' in command
