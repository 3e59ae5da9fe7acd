"""Both programs have the same commands, under names that say so."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from prataiclient.plugin import API_NAME, COMMANDS, DEFAULT_API_VERSION
from prataiclient.shell import name_of

from tests.unit.client_world import Pratai

ROOT = Path(__file__).parent.parent.parent
_CLIFFS_OWN = {"help", "complete"}


@pytest.mark.parametrize(
    ("entry_point", "name"),
    [
        ("function_create", "function-create"),
        ("function_build_log", "function-build-log"),
        ("function_run", "function-run"),
        ("function_request_list", "request-list"),
        ("function_version_list", "version-list"),
        ("function_cluster_status", "cluster-status"),
    ],
)
def test_what_is_below_function_there_stands_for_itself_here(entry_point: str, name: str) -> None:
    assert name_of(entry_point) == name


def test_the_openstack_program_finds_the_plug_in() -> None:
    (found,) = entry_points(group="openstack.cli.extension", name=API_NAME)
    assert found.load().API_NAME == API_NAME
    assert f"openstack.{API_NAME}.v{DEFAULT_API_VERSION}" == COMMANDS


def test_all_commands_are_below_one_noun_there_and_have_a_name_of_their_own_here(
    pratai: Pratai,
) -> None:
    found = [each.name for each in entry_points(group=COMMANDS)]
    assert len(found) > 30
    assert {name.split("_")[0] for name in found} == {"function"}
    names = {name_of(each) for each in found}
    assert len(names) == len(found)
    listed = re.findall(r"^  ([a-z][a-z-]*)  ", pratai("--help").out, re.MULTILINE)
    assert set(listed) - _CLIFFS_OWN == names


def test_each_command_stands_in_the_reference() -> None:
    text = (ROOT / "doc" / "source" / "reference" / "cli.rst").read_text()
    names = {name_of(each.name) for each in entry_points(group=COMMANDS)}
    assert {name for name in names if f"``{name}" not in text} == set()


def test_a_command_runs_by_the_beginning_of_its_name_where_it_is_the_only_one(
    pratai: Pratai,
) -> None:
    assert pratai("runtime-l", "-f", "value").code == 0
    ran = pratai("function-ru", "-f", "value")
    assert (ran.code, "Did you mean one of these?" in ran.out) == (2, True)


@pytest.mark.parametrize(
    ("option", "command"),
    [("--use-version", "function-update"), ("--stations", "request-show")],
)
def test_what_the_openstack_program_takes_for_itself_has_another_name(
    pratai: Pratai, option: str, command: str
) -> None:
    assert option in pratai("help", command).out


def test_completion_knows_commands_and_their_options(pratai: Pratai) -> None:
    ran = pratai("complete", "--shell", "none")
    assert (ran.code, ran.err) == (0, "")
    lines = dict(
        re.findall(r"^  (cmds\w*)='(.*)'$", ran.out, re.MULTILINE),
    )
    assert {"function-create", "request-list", "version-list"} <= set(lines["cmds"].split())
    assert {"--wait", "--follow", "--zip"} <= set(lines["cmds_function_create"].split())
    assert "complete -F _" in pratai("complete").out
