"""Functions and versions whose creation the store did not let end: nobody sees half of one, or
waits for it, and it can be made again.

The application runs in the test's own process, on a store that is away when it is told to be.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zmq
from flask.testing import FlaskClient

from pratai_api.app import create_app
from pratai_api.auth import NoAuth
from pratai_api.replies import Replies
from pratai_api.services import Services, Waits
from pratai_common.beat import Witness
from pratai_common.clock import now_ms
from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Message
from pratai_common.records import Function, Subscription, Version
from pratai_common.store.base import Created, NewRequest
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from tests.archives import KEY, NODE_URLS, in_folder
from tests.packages import ECHO

STEPS = ["create_version", "create_subscription", "create_function", "create_requests"]


class Away(SQLiteStore):
    """The embedded store, which is away when the method ``at`` is called."""

    at = ""

    def _reach(self, method: str) -> None:
        if method == self.at:
            raise StoreUnavailableError("away")

    def create_version(self, version: Version) -> bool:
        self._reach("create_version")
        return super().create_version(version)

    def create_subscription(self, subscription: Subscription) -> None:
        self._reach("create_subscription")
        super().create_subscription(subscription)

    def create_function(self, function: Function) -> None:
        self._reach("create_function")
        super().create_function(function)

    def create_requests(self, new: Sequence[NewRequest]) -> list[Created]:
        self._reach("create_requests")
        return super().create_requests(new)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Away]:
    made = Away(tmp_path / "store.sqlite")
    made.create_schema()
    yield made
    made.close()


@pytest.fixture
def sent() -> list[Message]:
    return []


@pytest.fixture
def api(store: Away, sent: list[Message], tmp_path: Path) -> Iterator[FlaskClient]:
    archives = in_folder(tmp_path / "archives")
    context: zmq.Context[Any] = zmq.Context()
    replies = Replies(context, "tcp://127.0.0.1:*")
    submitter = Submitter(store, archives, sent.append, now_ms)
    services = Services(
        store,
        archives,
        submitter,
        lambda message: sent.append(message) is None,
        replies,
        Waits(1),
        "api",
        Witness(),
        now_ms,
        ("python3",),
        KEY,
        NODE_URLS,
    )
    yield create_app(services, NoAuth()).test_client()
    replies.close()
    context.term()


def create(api: FlaskClient) -> Any:
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": json.dumps({"name": "a"})}
    return api.post("/v1/functions", data=form)


@pytest.mark.parametrize("step", STEPS)
def test_what_is_half_made_is_not_seen(
    api: FlaskClient, store: Away, sent: list[Message], step: str
) -> None:
    store.at = step
    answer = create(api)
    assert (answer.status_code, answer.json["error"]["reason"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "1"
    store.at = ""
    assert api.get("/v1/functions").json["functions"] == []
    assert sent == []
    answer = create(api)
    assert answer.status_code == 201
    assert [each["function_id"] for each in api.get("/v1/functions").json["functions"]] == [
        answer.json["function_id"]
    ]
    assert len(sent) == 1


def test_a_version_that_is_half_made_has_failed(api: FlaskClient, store: Away) -> None:
    function = create(api).json["function_id"]
    store.at = "create_requests"
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip")}
    answer = api.patch(f"/v1/functions/{function}", data=form)
    assert (answer.status_code, answer.json["error"]["reason"]) == (503, "store_unavailable")
    store.at = ""
    versions = api.get(f"/v1/functions/{function}/versions").json["versions"]
    assert [each["status"] for each in versions] == ["building", "error"]
    assert versions[1]["build_error"] == "its build could not be recorded"
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip")}
    answer = api.patch(f"/v1/functions/{function}", data=form)
    assert (answer.status_code, answer.json["version"]) == (202, 3)
