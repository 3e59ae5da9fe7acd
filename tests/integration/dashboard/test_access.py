"""Who sees and may do what: what the API would refuse is not offered, and a refusal stays one."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.horizon import Horizon, Surfer
from tests.stack import Stack

WRITES = ["functions/create-from-zip/", "functions/create-in-editor/", "events/create/",
          "events/set-timer/", "events/subscribe/"]  # fmt: skip
OF_FUNCTION = ["run/", "update/", "delete/", "stop/", "version-from-zip/", "version-in-editor/"]


def post(surfer: Surfer, path: str, **form: str) -> Any:
    """Send a form as a browser would that was shown it, with the token against forgeries."""
    cookies = {each["name"]: each["value"] for each in surfer.context.cookies()}
    headers = {"X-CSRFToken": cookies["csrftoken"], "Referer": surfer.url}
    url = surfer.address(path)
    return surfer.context.request.post(url, form=form, headers=headers, max_redirects=0)


def test_a_reader_sees_and_is_offered_nothing_to_change(
    member: Surfer, reader: Surfer, hello: str
) -> None:
    for path in ("functions/", f"functions/{hello}/", "events/"):
        member.open(path)
        offered = member.content.locator(".pratai-actions a").all_inner_texts()
        assert offered, path
        assert reader.open(path).status == 200
        expect(reader.content).not_to_be_empty()
        assert reader.content.locator(".pratai-actions a").all_inner_texts() == [], path
    reader.open("functions/")
    expect(reader.content.get_by_role("link", name="hello", exact=True)).to_be_visible()


@pytest.mark.parametrize("path", WRITES)
def test_pages_that_write(member: Surfer, reader: Surfer, path: str) -> None:
    assert member.open(path).status == 200
    assert reader.open(path).status == 403


@pytest.mark.parametrize("path", OF_FUNCTION)
def test_pages_that_change_a_function(
    member: Surfer, reader: Surfer, hello: str, path: str
) -> None:
    assert member.open(f"functions/{hello}/{path}").status == 200
    assert reader.open(f"functions/{hello}/{path}").status == 403


def test_a_form_that_a_reader_makes_up(
    member: Surfer, reader: Surfer, platform: Stack, hello: str
) -> None:
    member.open("functions/")
    reader.open("functions/")
    path = f"functions/{hello}/update/"
    settings = {"name": "hello", "type": "async", "memory": "129", "timeout": "60", "retries": "0",
                "enabled": "on"}  # fmt: skip
    assert post(reader, path, **settings).status == 403
    assert platform.get(f"/v1/functions/{hello}")["memory"] == 128
    assert post(member, path, **settings).status == 302
    assert platform.get(f"/v1/functions/{hello}")["memory"] == 129
    platform.call("PATCH", f"/v1/functions/{hello}", json={"memory": 128})


def test_a_form_of_another_site(member: Surfer, platform: Stack, hello: str) -> None:
    member.open("functions/")
    path = f"functions/{hello}/delete/"
    url = member.address(path)
    answer = member.context.request.post(url, form={}, max_redirects=0)
    assert "csrf_failure" in answer.headers["location"]
    assert platform.get(f"/v1/functions/{hello}")["status"] == "active"


def test_what_the_api_alone_refuses(
    member: Surfer, reader: Surfer, platform: Stack, hello: str
) -> None:
    """Of other projects Horizon's policy knows nothing."""
    mine = platform.get(f"/v1/functions/{hello}")["function_id"]
    assert member.open(f"functions/{mine}/").status == 200
    assert member.open("functions/00000000-0000-0000-0000-000000000000/").status == 404
    assert member.open("requests/no-such-request/").status == 404


def test_another_project_has_none_of_it(
    horizon: Horizon, member: Surfer, administrator: Surfer, hello: str
) -> None:
    member.open("functions/")
    expect(member.content.get_by_role("link", name="hello", exact=True)).to_be_visible()
    administrator.open("functions/")
    expect(administrator.content).to_contain_text("The project has no function yet.")


def test_the_cluster_is_for_administrators(member: Surfer, administrator: Surfer) -> None:
    assert administrator.open("cluster/").status == 200
    names = administrator.page.locator("#daemons tbody")
    for each in ("api", "scheduler", "collector", "driver", "agent"):
        expect(names).to_contain_text(each)
    expect(administrator.page.locator("#runtimes tbody")).to_contain_text("python3")
    answer = member.open("cluster/")
    assert answer.status == 403 or "/auth/login/" in member.page.url
