"""How ``pratai`` logs in: variables, options, clouds.yaml, credentials; what it says if not."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keystone import Keystone
from tests.packages import ECHO
from tests.ports import free_port
from tests.stack import BIN, Stack
from tests.waiting import until

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
"""Where it is noted which plug-ins are installed: to find them again takes most of a second."""

PASSWORD_FREE = """
clouds:
  here:
    region_name: RegionOne
    auth_type: v3applicationcredential
    auth:
      auth_url: {url}
      application_credential_id: {id}
      application_credential_secret: {secret}
"""


class Client:
    """``pratai`` in an environment of its own, where nothing else says who logs in."""

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        own = {"no_proxy": "*", "HOME": str(folder), "XDG_CACHE_HOME": str(CACHE)}
        self.variables = {**kept, **own, **variables}
        self._folder = folder

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "pratai", *arguments],
            env={**self.variables, **variables},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def names(self, *arguments: str, **variables: str) -> list[str]:
        """Return the names of the functions that a list has."""
        done = self.run("function-list", "-f", "json", *arguments, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        return [each["name"] for each in json.loads(done.stdout)]

    def refused(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Return the exit code and the one line that a failure says."""
        done = self.run(*(arguments or ("function-list",)), **variables)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        return done.returncode, lines[0]


@pytest.fixture(scope="module")
def known(
    keystone: Keystone, keystone_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a function of the project demo, which a member sees: the positive control."""
    function_id = keystone_stack.function(ECHO, name="known")
    folder = tmp_path_factory.mktemp("member")
    assert "known" in Client(folder, **keystone.environment("member", "demo")).names()
    yield "known"
    keystone_stack.call("DELETE", f"/v1/functions/{function_id}")


@pytest.fixture
def client(keystone: Keystone, known: str, tmp_path: Path) -> Client:
    """The client of a member of the project demo."""
    return Client(tmp_path, **keystone.environment("member", "demo"))


def test_a_password_of_variables(client: Client, keystone: Keystone, tmp_path: Path) -> None:
    other = Client(tmp_path, **keystone.environment("other", "other"))
    assert other.names() == []
    tenant = dict(client.variables)
    tenant["OS_TENANT_NAME"] = tenant.pop("OS_PROJECT_NAME")
    assert "known" in Client(tmp_path, **tenant).names()


def test_a_token(client: Client, keystone: Keystone, tmp_path: Path, keystone_stack: Stack) -> None:
    token = keystone.token("reader", "demo")
    variables = {"OS_AUTH_TYPE": "token", "OS_AUTH_URL": keystone.url, "OS_TOKEN": token}
    scoped = {"OS_PROJECT_NAME": "demo", "OS_PROJECT_DOMAIN_ID": "default"}
    assert "known" in Client(tmp_path, **variables, **scoped).names()


def test_an_application_credential(client: Client, keystone: Keystone, tmp_path: Path) -> None:
    credential = keystone.application_credential("member", "demo", roles=[{"name": "reader"}])
    variables = {
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": keystone.url,
        "OS_APPLICATION_CREDENTIAL_ID": credential["id"],
        "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"],
    }
    limited = Client(tmp_path, **variables)
    assert "known" in limited.names()
    code, said = limited.refused("function-delete", "known")
    assert code == 4
    assert said.startswith("the policy does not allow it: function:delete (HTTP 403, req-")
    assert "known" in client.names()


def test_clouds_yaml(keystone: Keystone, known: str, tmp_path: Path) -> None:
    credential = keystone.application_credential("member", "demo")
    (tmp_path / "clouds.yaml").write_text(PASSWORD_FREE.format(url=keystone.url, **credential))
    plain = Client(tmp_path)
    assert known in plain.names(OS_CLOUD="here")
    assert known in plain.names("--os-cloud", "here")
    code, said = plain.refused("--os-cloud", "elsewhere", "function-list")
    assert (code, said) == (1, "it is not clear how to log in: Cloud elsewhere was not found.")


def test_the_catalogue_and_what_overrides_it(client: Client, keystone_stack: Stack) -> None:
    for interface in ("internal", "admin"):
        assert "known" in client.names(OS_INTERFACE=interface)
    code, said = client.refused(OS_REGION_NAME="Nowhere")
    assert code == 5
    assert said == (
        "the catalogue does not lead there: public endpoint for function service in Nowhere "
        "region not found"
    )
    url = keystone_stack.url
    assert "known" in client.names(OS_REGION_NAME="Nowhere", OS_PRATAI_URL=url)
    nothing = f"http://127.0.0.1:{free_port()}"
    code, said = client.refused(OS_PRATAI_URL=nothing)
    assert (code, said) == (5, f"nothing answers at {nothing}: is the service up?")


def test_an_administrators_lists(client: Client, keystone: Keystone, tmp_path: Path) -> None:
    admin = Client(tmp_path, **keystone.environment("admin", "admin"))
    assert "known" not in admin.names()
    done = admin.run("function-list", "--all-projects", "-f", "json")
    projects = {each["name"]: each["project_id"] for each in json.loads(done.stdout)}
    assert projects["known"] == keystone.session("member", "demo").get_project_id()
    assert admin.run("request-list", "--all-projects").returncode == 0
    assert admin.run("cluster-status").returncode == 0
    for command in (["function-list", "--all-projects"], ["cluster-status"]):
        code, said = client.refused(*command)
        assert code == 4
        assert said.startswith("the policy does not allow it: ")


def test_what_is_wrong_is_said_in_a_line(
    client: Client, keystone: Keystone, keystone_stack: Stack, tmp_path: Path
) -> None:
    code, said = client.refused(OS_PASSWORD="no")
    assert code == 4
    assert said.startswith("Keystone refuses the credentials: ")
    code, said = client.refused(OS_PROJECT_NAME="other")
    assert code == 4
    assert said.startswith("Keystone refuses the credentials: ")
    unscoped = {k: v for k, v in client.variables.items() if not k.startswith("OS_PROJECT")}
    message = "this login is to no project: set OS_PROJECT_NAME, or OS_PROJECT_ID"
    assert Client(tmp_path, **unscoped).refused() == (4, message)
    nowhere = f"http://127.0.0.1:{free_port()}/v3"
    message = f"Keystone does not answer at {nowhere}: is it up?"
    assert client.refused(OS_AUTH_URL=nowhere) == (5, message)
    unlocked = {k: v for k, v in client.variables.items() if k != "OS_PASSWORD"}
    message = "no password is given: set OS_PASSWORD, or write it into clouds.yaml"
    assert Client(tmp_path, **unlocked).refused() == (1, message)
    code, said = Client(tmp_path).refused()
    assert (code, said.split(":")[0]) == (1, "no cloud is named")
    code, said = Client(tmp_path, OS_PRATAI_URL=keystone_stack.url).refused()
    assert code == 4
    assert said.startswith("the token is unknown, expired or revoked (HTTP 401, req-")


def test_no_secret_is_taken_from_the_command_line(client: Client) -> None:
    shown = client.run("--help").stdout
    assert "--os-cloud" in shown
    for secret in ("--os-password", "--os-token", "--os-application-credential-secret"):
        assert secret not in shown
        assert client.run(secret, "x", "function-list").returncode == 2


def test_a_token_that_expires_meanwhile_is_replaced(
    client: Client, keystone: Keystone, keystone_stack: Stack
) -> None:
    """A command that runs for longer than its token lives goes on with another."""
    log = keystone_stack.folder / "log" / "pratai-api.log"

    def looked() -> int:
        return log.read_text().count("GET /v1/requests 200")

    with keystone.short_lived_tokens(3):
        process = subprocess.Popen(
            [BIN / "pratai", "function-logs", "known", "--follow"],
            env=client.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            before = looked()
            until(lambda: looked() > before, "the command looks for requests")
            token = keystone.token("member", "demo")  # younger than the command's own
            until(lambda: _refused(keystone_stack, token), "the token has expired")
            before = looked()
            until(lambda: looked() > before + 1 or process.poll() is not None, "it goes on")
        finally:
            process.kill()
            _, errors = process.communicate()
    assert (errors, process.returncode) == ("", -signal.SIGKILL)


def _refused(stack: Stack, token: str) -> bool:
    answer = stack.call("GET", "/v1/runtimes", headers={"X-Auth-Token": token})
    return answer.status_code == 401
