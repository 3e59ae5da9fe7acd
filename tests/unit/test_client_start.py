"""What a command does not do before it does what it is for."""

import pytest

from tests.unit.client_world import Pratai


def test_a_command_does_not_read_what_all_is_installed(
    pratai: Pratai, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cliff's own commands do: that is the positive control."""
    asked: list[bool] = []

    def distributions() -> dict[str, list[str]]:
        asked.append(True)
        return {}

    monkeypatch.setattr("cliff.command.packages_distributions", distributions)
    monkeypatch.setattr("cliff.command._dists_by_mods", None)
    assert pratai.json("event-list") == []
    assert pratai.json("event-create", "orders")["name"] == "orders"
    assert asked == []
    assert pratai("help", "event-list").code == 0
    assert asked == [True]
