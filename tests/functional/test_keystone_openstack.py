"""``openstack function ...`` with a real Keystone: its login, its catalogue, its policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prataiclient import Client, RefusedError

from tests.keystone import Keystone
from tests.openstack_command import OpenStackCommand
from tests.packages import ECHO
from tests.stack import Stack


@pytest.fixture(scope="module")
def known(keystone_stack: Stack) -> Iterator[str]:
    """The name of a function of the project demo."""
    function_id = keystone_stack.function(ECHO, name="by-openstack")
    yield "by-openstack"
    keystone_stack.call("DELETE", f"/v1/functions/{function_id}")


@pytest.fixture
def openstack(keystone: Keystone, known: str, tmp_path: Path) -> OpenStackCommand:
    """The command of a member of the project demo."""
    return OpenStackCommand(tmp_path, **keystone.environment("member", "demo"))


def names(openstack: OpenStackCommand, **variables: str) -> list[str]:
    return [each["name"] for each in openstack.json("function", "list", **variables)]


def test_a_login_by_password_or_by_token(
    openstack: OpenStackCommand, keystone: Keystone, known: str, tmp_path: Path
) -> None:
    assert known in names(openstack)
    assert names(OpenStackCommand(tmp_path, **keystone.environment("other", "other"))) == []
    token = keystone.token("reader", "demo")
    by_token = OpenStackCommand(tmp_path, OS_AUTH_TYPE="token", OS_AUTH_URL=keystone.url,
                                OS_TOKEN=token, OS_PROJECT_NAME="demo",
                                OS_PROJECT_DOMAIN_ID="default")  # fmt: skip
    assert known in names(by_token)
    code, said = by_token.refused("function", "delete", known)
    assert code == 4
    assert said.startswith("the policy does not allow it: function:delete (HTTP 403, req-")
    assert known in names(openstack)


def test_the_catalogue_says_where_it_is(
    openstack: OpenStackCommand, keystone_stack: Stack, known: str
) -> None:
    assert known in names(openstack, OS_INTERFACE="internal")
    code, said = openstack.refused("function", "list", OS_REGION_NAME="Nowhere")
    assert (code, said.startswith("the catalogue does not lead there: ")) == (5, True)
    assert known in names(openstack, OS_REGION_NAME="Nowhere", OS_PRATAI_URL=keystone_stack.url)


def test_a_session_of_ones_own_serves_the_python_interface(keystone: Keystone, known: str) -> None:
    client = Client(keystone.session("member", "demo"))
    function = client.function(known)
    assert function.project_id == keystone.session("member", "demo").get_project_id()
    assert client.run(function.function_id, {"a": [1, "ü"]}, timeout=60) == {"a": [1, "ü"]}
    reader = Client(keystone.session("reader", "demo"), interface="internal")
    assert known in [each.name for each in reader.functions()]
    with pytest.raises(RefusedError, match="function:delete") as refused:
        reader.delete_function(function.function_id)
    assert refused.value.status == 403
