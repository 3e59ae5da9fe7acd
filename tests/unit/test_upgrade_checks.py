"""``pratai-status upgrade check``: what it finds, and what it says where all is well."""

import re
import sqlite3
import subprocess
from pathlib import Path

import pytest
from oslo_upgradecheck.upgradecheck import Code, Result

from pratai_api import keystone_options, middleware_options
from pratai_api.upgrade_checks import Checks
from pratai_common import conf as configuration
from pratai_common.key_files import make_pair, secret_path
from pratai_common.senders import Identity, Role
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.tokens import create_key
from tests.stack import BIN

COLLECTOR = Identity(Role.COLLECTOR)


class Installation:
    """One that is ready for this release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf_path = folder / "pratai.conf"
        self.policy_path = folder / "policy.yaml"
        self.key = folder / "keys" / "job-tokens"
        self.keys = folder / "keys.d"
        self.store_path = folder / "store.sqlite"
        self.write()
        create_key(self.key)
        make_pair(self.keys, COLLECTOR)
        store = SQLiteStore(self.store_path)
        store.create_schema()
        store.close()

    def write(self, *lines: str) -> None:
        """Write the configuration, with lines of [scheduler] more."""
        text = ["[DEFAULT]", f"state_path = {self.folder}", "[sockets]"]
        text += [f"keys_path = {self.keys}", "[oslo_policy]", f"policy_file = {self.policy_path}"]
        text += ["[keystone_authtoken]", "auth_url = http://k.example", "[scheduler]", *lines, ""]
        self.conf_path.write_text("\n".join(text))

    def checks(self) -> Checks:
        conf = configuration.registered()
        middleware_options.register(conf)
        keystone_options.register(conf)
        conf(["--config-file", str(self.conf_path)], project="pratai")
        return Checks(conf)

    def sqlite(self, statement: str) -> None:
        with sqlite3.connect(self.store_path) as connection:
            connection.execute(statement)
        connection.close()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def told(result: Result) -> tuple[Code, str]:
    return result.code, result.details or ""


def test_all_is_well(installation: Installation) -> None:
    checks = installation.checks()
    found = {name: told(check(checks)) for name, check in Checks._upgrade_checks}
    assert found == dict.fromkeys(("Store", "Policy", "Options", "Keys"), (Code.SUCCESS, ""))


# The store


def test_a_table_that_is_missing(installation: Installation) -> None:
    installation.sqlite("DROP TABLE marks")
    code, details = told(installation.checks().store())
    assert code is Code.FAILURE
    assert details == "table marks is missing: run pratai-db-init"


def test_an_index_of_a_former_release(installation: Installation) -> None:
    installation.sqlite("CREATE INDEX requests_pending ON requests (status)")
    code, details = told(installation.checks().store())
    assert code is Code.FAILURE
    assert "index requests_pending of a former release is there" in details


def test_a_store_that_is_not_there_is_not_made(installation: Installation) -> None:
    installation.store_path.unlink()
    code, details = told(installation.checks().store())
    assert (code, f"there is no {installation.store_path}" in details) == (Code.FAILURE, True)
    assert not installation.store_path.exists()


def test_a_store_that_is_none(installation: Installation) -> None:
    installation.store_path.write_bytes(b"nothing of the kind" * 100)
    code, details = told(installation.checks().store())
    assert code is Code.FAILURE
    assert details.startswith("the store cannot be looked at: ")


# The policy


def test_rules_in_json(installation: Installation) -> None:
    installation.policy_path.write_text('{"function:list": "role:admin"}')
    code, details = told(installation.checks().policy())
    assert code is Code.FAILURE
    assert "JSON-formatted" in details


def test_rules_of_this_release(installation: Installation) -> None:
    installation.policy_path.write_text('"function:list": "role:admin"\n')
    assert told(installation.checks().policy()) == (Code.SUCCESS, "")


def test_a_rule_of_which_nothing_asks(installation: Installation) -> None:
    installation.policy_path.write_text('"function:lst": "role:admin"\n')
    code, details = told(installation.checks().policy())
    assert code is Code.WARNING
    assert "the policy has function:lst, of which nothing asks" in details


@pytest.mark.parametrize("text", ['"function:list": "rule:nobody"\n', "- a\n- list\n", "{{{"])
def test_rules_that_are_none(installation: Installation, text: str) -> None:
    installation.policy_path.write_text(text)
    code, details = told(installation.checks().policy())
    assert code is Code.FAILURE
    assert details.startswith("the policy cannot be read: ")


# The configuration


def test_options_that_this_release_does_not_know(installation: Installation) -> None:
    installation.write("sweep_seconds = 1", "sweep-seconds = 1", "swept_by = a broom")
    code, details = told(installation.checks().options())
    assert code is Code.WARNING
    where = f"[scheduler] swept_by in {installation.conf_path}"
    assert details == f"{where}: they were removed, or are misspelt, and do nothing"


def test_options_of_a_folder(installation: Installation) -> None:
    folder = installation.folder / "pratai.conf.d"
    folder.mkdir()
    (folder / "more.conf").write_text("[DEFAULT]\nlogdir = /tmp\nno_such = 1\n")
    conf = configuration.registered()
    conf(["--config-dir", str(folder)], project="pratai", default_config_files=[])
    code, details = told(Checks(conf).options())
    assert (code, "[DEFAULT] no_such" in details) == (Code.WARNING, True)


# Keys


def test_a_key_that_others_read(installation: Installation) -> None:
    installation.key.chmod(0o640)
    code, details = told(installation.checks().keys())
    assert (code, f"{installation.key} can be read by others" in details) == (Code.FAILURE, True)


def test_no_key_of_job_tokens(installation: Installation) -> None:
    installation.key.unlink()
    code, details = told(installation.checks().keys())
    assert code is Code.FAILURE
    assert f"there is no {installation.key}: run pratai-db-init" in details


def test_a_secret_key_of_a_daemon_that_others_read(installation: Installation) -> None:
    path = secret_path(installation.keys, COLLECTOR)
    path.chmod(0o644)
    code, details = told(installation.checks().keys())
    assert (code, f"chmod 600 {path}" in details) == (Code.FAILURE, True)


def test_a_folder_to_which_others_add_keys(installation: Installation) -> None:
    installation.keys.chmod(0o777)
    code, details = told(installation.checks().keys())
    assert code is Code.FAILURE
    assert f"{installation.keys} can be written by others" in details


# The command


def status(installation: Installation) -> subprocess.CompletedProcess[str]:
    command = [BIN / "pratai-status", "--config-file", installation.conf_path, "upgrade", "check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_shows_a_table_and_ends_with_the_worst(installation: Installation) -> None:
    done = status(installation)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Result: Success") == 4
    installation.policy_path.write_text('"function:lst": "role:admin"\n')
    assert status(installation).returncode == 1
    installation.key.chmod(0o644)
    done = status(installation)
    assert done.returncode == 2
    assert "can be read by others" in re.sub(r"[|\s]+", " ", done.stdout)
