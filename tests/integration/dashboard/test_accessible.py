"""Every page of the plug-in: axe-core finds nothing serious in it, the keyboard reaches what can be
done, and nothing is asked of another host. With ``PRATAI_SCREENSHOTS`` pictures are kept there:

    PRATAI_SCREENSHOTS=doc/source/images/dashboard .venv/bin/python -m pytest \
        tests/integration/dashboard/test_accessible.py
"""

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.horizon import Surfer
from tests.stack import Stack

PAGES = {
    "overview": "overview/?span=hour",
    "functions": "functions/",
    "create": "functions/create-from-zip/",
    "editor": "functions/create-in-editor/",
    "function": "functions/{function}/",
    "settings": "functions/{function}/update/",
    "version-zip": "functions/{function}/version-from-zip/",
    "version-editor": "functions/{function}/version-in-editor/",
    "run": "functions/{function}/run/",
    "stop": "functions/{function}/stop/",
    "delete": "functions/{function}/delete/",
    "requests": "requests/",
    "request": "requests/{request}/",
    "failed": "requests/{failed}/",
    "replay": "requests/{request}/replay/",
    "events": "events/",
    "event": "events/{event}/",
    "event-create": "events/create/",
    "publish": "events/{event}/publish/",
    "event-delete": "events/{event}/delete/",
    "timer": "events/set-timer/",
    "subscribe": "events/subscribe/",
    "secrets": "secrets/",
    "secret-delete": "secrets/greeting/delete/",
    "cluster": "cluster/",
}
SERIOUS = {"serious", "critical"}
FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']"
STOPS_EACH = 8
"""A field of a date and a time is one of several stops."""
PLACE = "(each => [...document.querySelectorAll('#content_body *')].indexOf(each))"
"""The place of an element among all that the page's content consists of."""
SCREENSHOTS = os.environ.get("PRATAI_SCREENSHOTS")


@pytest.fixture(scope="module")
def names(platform: Stack, hello: str, failing: str) -> dict[str, str]:
    """Something of everything that is shown, by the words of the paths above."""
    body = {"name": "greeting", "value": "correct horse battery"}
    assert platform.call("POST", "/v1/secrets", json=body).status_code == 201
    event = platform.call("POST", "/v1/events", json={"name": "visits"}).json()["event_id"]
    timer = {"kind": "timer", "cron": "30 2 * * *"}
    platform.call("POST", f"/v1/functions/{hello}/subscriptions", json=timer)
    return {
        "function": hello,
        "request": platform.run(hello, {"who": "Ada"})["request_id"],
        "failed": platform.run(failing, {"who": "Ada"})["request_id"],
        "event": event,
    }


def visit(surfer: Surfer, page: str, names: dict[str, str]) -> None:
    assert surfer.open(PAGES[page].format(**names)).status == 200


def findings(surfer: Surfer) -> list[tuple[str, str, list[str]]]:
    """Return what axe-core finds in what the plug-in shows: what is around it is Horizon's."""
    results: Any = Axe().run(surfer.page, context="#content_body").response
    assert results["passes"], "axe-core has looked at nothing"
    return [
        (each["id"], each["help"], [node["html"] for node in each["nodes"]])
        for each in results["violations"]
        if each["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("page", PAGES)
def test_nothing_serious_is_found(
    member: Surfer, administrator: Surfer, page: str, names: dict[str, str]
) -> None:
    surfer = administrator if page == "cluster" else member
    visit(surfer, page, names)
    assert findings(surfer) == []
    assert (surfer.elsewhere, surfer.complaints) == ([], [])
    if SCREENSHOTS:
        path = Path(SCREENSHOTS) / f"{page}.png"
        surfer.page.screenshot(path=path, full_page=True)


def test_axe_finds_what_is_wrong(member: Surfer, names: dict[str, str]) -> None:
    visit(member, "run", names)
    member.page.evaluate("document.querySelector('label[for=id_payload]').remove()")
    assert "label" in [rule for rule, _, _ in findings(member)]


@pytest.mark.parametrize("page", PAGES)
def test_the_keyboard_reaches_all_that_can_be_done(
    member: Surfer, administrator: Surfer, page: str, names: dict[str, str]
) -> None:
    surfer = administrator if page == "cluster" else member
    visit(surfer, page, names)
    reachable = surfer.content.locator(f":is({FOCUSABLE}):visible")
    wanted = set(reachable.evaluate_all(f"found => found.map(each => {PLACE}(each))"))
    assert wanted
    reachable.first.focus()
    seen = {_focused(surfer)}
    for _ in range(STOPS_EACH * len(wanted)):
        if wanted <= seen:
            break
        surfer.page.keyboard.press("Tab")
        seen.add(_focused(surfer))
    assert wanted <= seen


def test_a_function_is_run_by_the_keyboard_alone(member: Surfer, names: dict[str, str]) -> None:
    visit(member, "run", names)
    member.page.locator("#id_payload").focus()
    member.page.keyboard.press("Control+A")
    member.page.keyboard.type('{"by": "keyboard"}')
    member.page.keyboard.press("Tab")
    member.page.keyboard.press("Enter")
    member.page.wait_for_selector("#payload")
    assert "keyboard" in member.page.inner_text("#payload")


def _focused(surfer: Surfer) -> int:
    """Return the place of what has the focus."""
    place: int = surfer.page.evaluate(f"{PLACE}(document.activeElement)")
    return place
