"""Requests and what runs functions: filtered, replayed, cancelled, chained; events, timers."""

import json
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.horizon import Surfer
from tests.integration.dashboard.conftest import HELLO
from tests.integration.dashboard.test_functions import ended
from tests.stack import Stack
from tests.waiting import until


def rows(surfer: Surfer) -> list[str]:
    return surfer.page.locator("#requests tbody tr").all_inner_texts()


def ask(surfer: Surfer, **fields: str) -> None:
    """Filter the list of requests."""
    surfer.open("requests/")
    for name, value in fields.items():
        field = surfer.page.locator(f"#id_{name}")
        if name in ("function_id", "status"):
            field.select_option(value)
        else:
            field.fill(value)
    surfer.press("Filter")


def test_filters(member: Surfer, platform: Stack, hello: str, failing: str) -> None:
    platform.run(hello, "filtered")
    platform.run(failing, "filtered")
    ask(member, function_id=hello)
    assert rows(member)
    assert all("hello" in row for row in rows(member))
    ask(member, status="error")
    assert rows(member)
    assert all("error" in row for row in rows(member))
    soon = datetime.now(UTC) + timedelta(hours=1)
    ask(member, until=f"{soon:%Y-%m-%dT%H:%M}")
    assert rows(member)
    ask(member, since=f"{soon:%Y-%m-%dT%H:%M}")
    assert rows(member) == []
    expect(member.content).to_contain_text("There is no such request.")


def test_pages_of_the_list_keep_the_filter(member: Surfer, platform: Stack) -> None:
    function_id = platform.function(HELLO, name="many")
    requests = [platform.submit(function_id, number) for number in range(60)]
    for each in requests:
        platform.ended(each)
    ask(member, function_id=function_id, status="success")
    assert len(rows(member)) == 50
    member.follow("Older ones")
    expect(member.page.locator("#requests tbody tr")).to_have_count(10)
    assert member.page.input_value("#id_function_id") == function_id


def test_replay(member: Surfer, platform: Stack, hello: str) -> None:
    request_id = platform.run(hello, {"again": True})["request_id"]
    member.open(f"requests/{request_id}/")
    member.follow("Replay")
    member.press("Replay")
    ended(member, "success")
    assert member.shown_id() != request_id
    assert json.loads(member.page.inner_text("#payload")) == {"again": True}
    member.follow(request_id)
    assert member.shown_id() == request_id


def test_cancel(member: Surfer, platform: Stack, hello: str) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"payload": 1, "not_before": later}
    answer = platform.call("POST", f"/v1/functions/{hello}", json=body)
    request_id = answer.json()["request_id"]
    member.open(f"requests/{request_id}/")
    expect(member.page.locator("#status .pratai-status")).to_have_text("scheduled")
    member.follow("Cancel it")
    member.press("Cancel the request")
    ended(member, "cancelled")


def test_a_chain_is_drawn(member: Surfer, platform: Stack, hello: str) -> None:
    platform.function(HELLO, name="second", event="response", subscribe_to=[f"{hello}:success"])
    request_id = platform.run(hello, "chained")["request_id"]
    path = f"/v1/requests/{request_id}"
    (child,) = until(lambda: platform.get(path)["children"], "its end runs the second function")
    platform.ended(child)
    member.open(f"requests/{child}/")
    drawing = member.page.locator(".pratai-family")
    expect(drawing.locator("a")).to_have_count(2)
    expect(drawing.locator("path")).to_have_count(1)
    expect(drawing.locator("a[aria-current]")).to_contain_text("second")
    drawing.locator("a").first.click()
    expect(member.page.locator("h1")).to_have_text(f"Request {request_id}")


def test_an_event_runs_what_subscribes_to_it(member: Surfer, platform: Stack) -> None:
    function_id = platform.function(HELLO, name="listening")
    member.open("events/")
    member.follow("Create an event")
    member.page.fill("#id_name", "arrivals")
    member.press("Create")
    expect(member.page.locator("#status .pratai-status")).to_have_text("active")
    event_id = member.shown_id()
    member.open("events/subscribe/")
    member.page.select_option("#id_function_id", function_id)
    member.page.select_option("#id_target", f"message {event_id}")
    member.press("Subscribe it")
    expect(member.page.locator("#subscriptions tbody")).to_contain_text("message")
    member.open(f"events/{event_id}/publish/")
    member.page.fill("#id_data", '{"from": "Graz"}')
    member.press("Publish")
    path = f"/v1/requests?function_id={function_id}"
    (request,) = until(lambda: platform.get(path)["requests"], "the event runs the function")
    assert platform.ended(request["request_id"])["payload"] == {"from": "Graz"}
    member.open(f"events/{event_id}/delete/")
    member.press("Delete")
    expect(member.content.get_by_role("link", name="arrivals", exact=True)).to_have_count(0)


def test_a_timer_is_set_switched_off_and_deleted(member: Surfer, platform: Stack) -> None:
    function_id = platform.function(HELLO, name="nightly")
    member.open("events/")
    member.follow("Set a timer")
    member.page.select_option("#id_function_id", function_id)
    member.press("Set it")
    expect(member.content.get_by_role("alert")).to_contain_text("Either an expression")
    member.page.fill("#id_cron", "30 2 * * *")
    member.page.fill("#id_timezone", "Europe/Vienna")
    member.press("Set it")
    expect(member.page.locator("#subscriptions")).to_contain_text("30 2 * * * (Europe/Vienna)")
    member.open("events/")
    timer = member.page.locator("#timers tbody tr", has_text="nightly")
    expect(timer).to_contain_text("yes")
    timer.get_by_role("link", name="Switch on or off").click()
    member.press("Switch")
    (row,) = platform.get(f"/v1/functions/{function_id}/subscriptions")["subscriptions"][-1:]
    assert (row["kind"], row["enabled"]) == ("timer", False)
    member.open("events/")
    timer.get_by_role("link", name="Delete").click()
    member.press("Delete")
    left = platform.get(f"/v1/functions/{function_id}/subscriptions")["subscriptions"]
    assert [each["kind"] for each in left if each["kind"] == "timer"] == []


def test_secrets_are_names(member: Surfer, platform: Stack) -> None:
    body = {"name": "db", "value": "correct horse battery"}
    assert platform.call("POST", "/v1/secrets", json=body).status_code == 201
    member.open("secrets/")
    expect(member.page.locator("#secrets tbody")).to_contain_text("db")
    assert "correct horse" not in member.page.content()
    member.page.locator("#secrets").get_by_role("link", name="Delete db").click()
    member.press("Delete")
    assert "db" not in [each["name"] for each in platform.get("/v1/secrets")["secrets"]]


def test_the_overview_counts(member: Surfer, platform: Stack, hello: str, failing: str) -> None:
    platform.run(hello, 1)
    platform.run(failing, 1)
    member.open("overview/?span=hour")
    expect(member.page.locator("#statuses")).to_contain_text("success:")
    expect(member.page.locator("#statuses")).to_contain_text("error:")
    expect(member.page.locator("#numbers tbody")).to_contain_text("hello")
    assert member.page.locator(".pratai-chart rect.pratai-success").count() > 0
    expect(member.page.locator("#quotas tbody")).to_contain_text("functions")
