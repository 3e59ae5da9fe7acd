"""``openstack function ...`` against a real stack, where nobody is asked who they are."""

import csv
import io
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.openstack_command import OpenStackCommand
from tests.packages import ECHO, package
from tests.ports import free_port
from tests.stack import BIN, Stack

PICKY = package("def main(payload=None):\n    print('looks')\n    raise ValueError('no')\n")


@pytest.fixture
def openstack(stack: Stack, tmp_path: Path) -> OpenStackCommand:
    return OpenStackCommand(tmp_path, OS_AUTH_TYPE="none", OS_ENDPOINT=stack.url)


def test_a_function_from_its_starter_to_its_deletion(
    openstack: OpenStackCommand, tmp_path: Path
) -> None:
    assert openstack("function", "init", "by-plug-in").returncode == 0
    made = openstack.json("function", "create", "by-plug-in", "--zip", "by-plug-in", "--wait")
    assert (made["name"], made["status"]) == ("by-plug-in", "active")
    payload = ("--payload", '{"name": "Ada"}')
    ran = openstack.json("function", "execute", "by-plug-in", *payload, "--wait")
    assert ran["result"] == {"greeting": "Hello, Ada!"}
    shown = openstack.json("function", "request", "show", ran["request_id"], "--stations")
    assert shown["accepted"] == 0
    logs = openstack("function", "request", "logs", ran["request_id"], "--follow")
    assert (logs.returncode, "greeting Ada" in logs.stdout) == (0, True)
    updated = openstack.json("function", "update", "by-plug-in", "--use-version", "1")
    assert updated["version"] == 1
    versions = openstack.json("function", "version", "list", made["function_id"])
    assert [each["version"] for each in versions] == [1]
    assert openstack("function", "delete", "by-plug-in").returncode == 0
    code, said = openstack.refused("function", "show", "by-plug-in")
    assert (code, said.startswith("there is no function by-plug-in (HTTP 404")) == (3, True)


def test_a_list_in_every_format(stack: Stack, openstack: OpenStackCommand) -> None:
    function = stack.function(ECHO, name="in-every-format")
    found = {"function_id": function, "name": "in-every-format"}
    columns = ("function", "list", "-c", "function_id", "-c", "name")
    assert found in openstack.json(*columns)
    assert found in yaml.safe_load(openstack(*columns, "-f", "yaml").stdout)
    assert found in csv.DictReader(io.StringIO(openstack(*columns, "-f", "csv").stdout))
    assert f"{function} in-every-format" in openstack(*columns, "-f", "value").stdout.splitlines()
    assert f"| {function} | in-every-format |" in re.sub(" +", " ", openstack(*columns).stdout)


def test_the_exit_code_is_the_kind_of_failure(stack: Stack, openstack: OpenStackCommand) -> None:
    function = stack.function(PICKY)
    code, said = openstack.refused("function", "execute", function, "--wait")
    assert (code, said.endswith("ended badly: exception: ValueError: no")) == (1, True)
    assert openstack("function", "show").returncode == 2
    assert openstack.refused("function", "event", "show", "nobody")[0] == 3
    assert openstack.refused("function", "execute", function, "--payload", "{")[0] == 4
    away = f"http://127.0.0.1:{free_port()}"
    code, said = openstack.refused("function", "list", OS_ENDPOINT=away)
    assert (code, said) == (5, f"nothing answers at {away}: is the service up?")


def test_an_address_that_is_given_goes_before_others(
    stack: Stack, openstack: OpenStackCommand
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    (runtime,) = openstack.json("function", "runtime", "list", OS_PRATAI_URL=stack.url,
                                OS_ENDPOINT=away)  # fmt: skip
    assert runtime["name"] == "python3"


def test_both_programs_complete_the_same(openstack: OpenStackCommand) -> None:
    """What bash proposes after ``openstack function c`` and ``pratai function-c``."""
    script = openstack("complete").stdout
    assert proposed(script, "openstack", "function", "c") == {"cluster", "create"}
    assert "--cron" in proposed(script, "openstack", "function", "create", "--c")
    own = subprocess.run([BIN / "pratai", "complete"], check=True, capture_output=True, text=True)
    assert proposed(own.stdout, "pratai", "function-c") == {"function-create"}
    assert "--cron" in proposed(own.stdout, "pratai", "function-create", "--c")


def proposed(script: str, program: str, *words: str) -> set[str]:
    """Return what bash proposes for the last of the words, by a program's own script."""
    typed = " ".join(f"'{word}'" for word in (program, *words))
    # What the package bash-completion brings: the word under the cursor, and all words.
    helper = (
        "_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]};"
        ' prev=${COMP_WORDS[COMP_CWORD-1]}; words=("${COMP_WORDS[@]}"); }'
    )
    asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _{program}"
    lines = [helper, script, asked, 'printf "%s\\n" "${COMPREPLY[@]}"']
    done = subprocess.run(
        ["bash", "-s"], input="\n".join(lines), check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())
