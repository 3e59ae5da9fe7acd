"""A member of a project and their functions: uploaded, written, run, changed, deleted."""

import json
import uuid
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.horizon import Surfer
from tests.integration.dashboard.conftest import FAILING, HELLO
from tests.packages import package
from tests.stack import Stack
from tests.waiting import until

_UPLOADED = """
    import logging

    def main(payload=None):
        logging.getLogger("pratai").info("greeting %s", payload)
        return {"hello": payload}
"""
BUILD_MS = 300_000
RUN_MS = 120_000


def built(surfer: Surfer, status: str = "active") -> None:
    """Wait until the page of a function shows that its build has ended; it follows by itself."""
    expect(surfer.page.locator("[data-follow]")).to_have_count(0, timeout=BUILD_MS)
    expect(surfer.page.locator("#status .pratai-status")).to_have_text(status)


def ended(surfer: Surfer, status: str) -> None:
    """Wait until the page of a request shows its end; it follows by itself."""
    expect(surfer.page.locator("[data-follow]")).to_have_count(0, timeout=RUN_MS)
    expect(surfer.page.locator("#status .pratai-status")).to_have_text(status)


def run(surfer: Surfer, name: str, payload: object) -> None:
    surfer.open("functions/")
    surfer.follow(name)
    surfer.follow("Run")
    surfer.page.fill("#id_payload", json.dumps(payload))
    surfer.press("Run")


def upload(surfer: Surfer, name: str, content: bytes, folder: Path) -> None:
    path = folder / f"{name}.zip"
    path.write_bytes(content)
    surfer.open("functions/")
    surfer.follow("Create from a zip")
    surfer.page.fill("#id_name", name)
    surfer.page.set_input_files("#id_zip_file", path)
    surfer.press("Create")


def test_upload_run_and_read(member: Surfer, tmp_path: Path) -> None:
    upload(member, "uploaded", package(_UPLOADED, note__txt=uuid.uuid4().hex), tmp_path)
    expect(member.page.locator("h1")).to_have_text("uploaded")
    built(member)
    expect(member.page.locator("#log")).to_contain_text("adding 3 files")
    run(member, "uploaded", {"who": "Ada"})
    ended(member, "success")
    shown = json.loads(member.page.inner_text("#result"))
    assert shown == {"hello": {"who": "Ada"}}
    expect(member.page.locator("#log")).to_contain_text("greeting {'who': 'Ada'}")
    expect(member.page.locator("#stations")).to_contain_text("runs:")
    assert json.loads(member.page.inner_text("#payload")) == {"who": "Ada"}
    assert (member.elsewhere, member.complaints) == ([], [])


def test_an_errors_reason(member: Surfer, failing: str) -> None:
    run(member, "failing", 1)
    ended(member, "error")
    expect(member.page.locator("#reason")).to_contain_text("exception")
    expect(member.page.locator("#reason")).to_contain_text("no greeting for today")
    expect(member.page.locator("#log")).to_contain_text("ValueError")


def test_what_callers_wait_for(member: Surfer, platform: Stack) -> None:
    platform.function(HELLO, name="waited-for", type="wait_for_response")
    run(member, "waited-for", [1, "ö"])
    expect(member.page.locator("#result")).to_be_visible(timeout=RUN_MS)
    assert json.loads(member.page.inner_text("#result")) == {"hello": [1, "ö"]}
    platform.function(FAILING, name="waited-for-in-vain", type="wait_for_response")
    run(member, "waited-for-in-vain", 1)
    alert = member.content.get_by_role("alert")
    expect(alert).to_contain_text("exception: ValueError: no greeting for today", timeout=RUN_MS)


def test_written_in_the_editor_and_changed(member: Surfer) -> None:
    member.open("functions/")
    member.follow("Write a function")
    member.page.fill("#id_name", "written")
    member.page.fill("#id_module", "def main(payload=None):\n    return 'first'\n")
    member.page.fill("#id_environment", "COLOUR=red\nSIZE=1=2")
    member.press("Create")
    built(member)
    function_id = member.shown_id()
    run(member, "written", None)
    ended(member, "success")
    assert member.page.inner_text("#result") == '"first"'

    member.open(f"functions/{function_id}/")
    member.follow("Settings")
    assert member.page.input_value("#id_environment") == "COLOUR=red\nSIZE=1=2"
    member.page.fill("#id_memory", "256")
    member.press("Save")
    expect(member.content).to_contain_text("256 MB")

    member.follow("Write a version")
    member.page.fill("#id_module", "def main(payload=None):\n    return 'second'\n")
    member.press("Build")
    built(member)
    expect(member.page.locator("#versions tbody tr")).to_have_count(2)
    run(member, "written", None)
    ended(member, "success")
    assert member.page.inner_text("#result") == '"second"'

    member.open(f"functions/{function_id}/")
    member.page.locator("#versions").get_by_role("link", name="Let it serve").click()
    member.press("Let it serve")
    run(member, "written", None)
    ended(member, "success")
    assert member.page.inner_text("#result") == '"first"'

    member.open(f"functions/{function_id}/")
    member.follow("Delete")
    member.press("Delete")
    expect(member.page.locator("h1")).to_have_text("Functions")
    expect(member.content.get_by_role("link", name="written", exact=True)).to_have_count(0)


def test_a_build_that_fails_says_why(member: Surfer, tmp_path: Path) -> None:
    wrong = package("def main(payload=None):\n    pass\n", "no-such-package-of-pratai==1.0\n")
    upload(member, "unbuildable", wrong, tmp_path)
    built(member, "error")
    expect(member.page.locator("#build-error")).to_contain_text("could not be built")
    expect(member.page.locator("#log")).to_contain_text("no-such-package-of-pratai")


def test_what_the_api_refuses_is_said_above_the_form(
    member: Surfer, hello: str, tmp_path: Path
) -> None:
    upload(member, "hello", HELLO, tmp_path)
    refused = member.content.get_by_role("alert")
    expect(refused).to_contain_text("a function named hello exists")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    member.page.fill("#id_name", "empty")
    member.page.set_input_files("#id_zip_file", tmp_path / "empty.zip")
    member.press("Create")
    expect(refused).to_contain_text("new_module.py")


@pytest.mark.parametrize("payload", ["{", "'text'"])
def test_a_payload_that_is_no_json(member: Surfer, hello: str, payload: str) -> None:
    member.open(f"functions/{hello}/run/")
    member.page.fill("#id_payload", payload)
    member.press("Run")
    expect(member.page.locator("#id_payload_error")).to_contain_text("This is not JSON")
    assert member.page.input_value("#id_payload") == payload


def test_it_is_stopped(member: Surfer, platform: Stack) -> None:
    slow = package("import time\n\ndef main(payload=None):\n    time.sleep(600)\n")
    function_id = platform.function(slow, name="slow", timeout=900)
    request_id = platform.submit(function_id)
    path = f"/v1/requests/{request_id}"
    until(lambda: platform.get(path)["status"] == "running", "it runs")
    member.open(f"functions/{function_id}/")
    member.follow("Stop its runs")
    member.press("Stop them")
    member.open(f"requests/{request_id}/")
    ended(member, "cancelled")
