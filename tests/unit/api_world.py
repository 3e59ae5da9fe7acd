"""The API in the test's own process, on a store that is away when it is told to be."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import zmq
from flask.testing import FlaskClient

from pratai_api import event_sources
from pratai_api.app import create_app
from pratai_api.auth import Identity, NoAuth
from pratai_api.quotas import Quotas
from pratai_api.rates import Rates
from pratai_api.replies import Replies
from pratai_api.services import Services, Waits
from pratai_common.beat import Witness
from pratai_common.channels import Outlets
from pratai_common.clock import now_ms
from pratai_common.errors import StoreUnavailableError
from pratai_common.messages import Answer, Message
from pratai_common.publishing import Publisher
from pratai_common.records import Body, Function, LogChunk, Request, Subscription, Version
from pratai_common.sealing import Sealer
from pratai_common.store.base import Created, NewRequest, Position, RequestChange
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from tests.archives import KEY, NODE_URLS, in_folder

T = TypeVar("T")
ROOM_ENOUGH = Quotas(events=1000, published_events=1000, timers=1000)


class Away(SQLiteStore):
    """The embedded store, which is away when a method of ``away`` is called; where its answers are
    ``lost``, only after it was done. ``refused`` counts, and so does ``looks`` at logs, of which
    the first ``behind`` see nothing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away: set[str] = set()
        self.lost = False
        self.refused = 0
        self.looks = 0
        self.behind = 0

    def _reach(self, method: str, do: Callable[[], T]) -> T:
        if method not in self.away:
            return do()
        if self.lost:
            do()
        self.refused += 1
        raise StoreUnavailableError("away")

    def create_version(self, version: Version) -> bool:
        create = super().create_version
        return self._reach("create_version", lambda: create(version))

    def create_subscription(self, subscription: Subscription) -> None:
        create = super().create_subscription
        self._reach("create_subscription", lambda: create(subscription))

    def create_function(self, function: Function) -> None:
        create = super().create_function
        self._reach("create_function", lambda: create(function))

    def change_function(
        self, function_id: str, apply: Callable[[Function], Function | None]
    ) -> Function | None:
        change = super().change_function
        return self._reach("change_function", lambda: change(function_id, apply))

    def create_requests(self, new: Sequence[NewRequest]) -> list[Created]:
        create = super().create_requests
        return self._reach("create_requests", lambda: create(new))

    def get_requests(self, request_ids: Sequence[str]) -> dict[str, Request]:
        get = super().get_requests
        return self._reach("get_requests", lambda: get(request_ids))

    def change_requests(self, changes: Sequence[RequestChange]) -> list[Request | None]:
        change = super().change_requests
        return self._reach("change_requests", lambda: change(changes))

    def get_result(self, request_id: str) -> Body | None:
        get = super().get_result
        return self._reach("get_result", lambda: get(request_id))

    def log_chunks(self, request_id: str, after: Position | None = None) -> list[LogChunk]:
        self.looks += 1
        return [] if self.looks <= self.behind else super().log_chunks(request_id, after)


class ApiWorld:
    """An application, what it sent to the scheduler, and how its callers are answered."""

    def __init__(
        self, folder: Path, identity: Identity | None = None, quotas: Quotas = ROOM_ENOUGH
    ) -> None:
        self.store = Away(folder / "store.sqlite")
        self.store.create_schema()
        self.sent: list[Any] = []
        archives = in_folder(folder / "archives")
        self._context: zmq.Context[Any] = zmq.Context()
        self._replies = Replies(self._context, "tcp://127.0.0.1:*")
        self._outlets = Outlets(self._context)
        submitter = Submitter(self.store, archives, self.sent.append, now_ms)
        self._app = create_app(
            Services(
                store=self.store,
                archives=archives,
                submitter=submitter,
                publisher=Publisher(self.store, submitter),
                send=self._send,
                replies=self._replies,
                waits=Waits(1, "results"),
                follows=Waits(1, "logs"),
                rates=Rates(lambda: 1),
                name="api",
                witness=Witness(),
                clock=now_ms,
                runtimes=("python3",),
                sources=event_sources.load(),
                key=KEY,
                event_sealer=Sealer(KEY, "event"),
                hook_sealer=Sealer(KEY, "hook"),
                urls=NODE_URLS,
                quotas=quotas,
            ),
            identity or NoAuth(),
        )
        self.api: FlaskClient = self._app.test_client()

    def close(self) -> None:
        self._outlets.close()
        self._replies.close()
        self._context.term()
        self.store.close()

    @contextmanager
    def away(self, *methods: str, lost: bool = False) -> Iterator[None]:
        """Have the store away in these methods while the block runs."""
        self.store.away, self.store.lost = set(methods), lost
        yield
        self.store.away = set()

    def answer(self, answer: Answer) -> None:
        """Answer a caller as the collector does."""
        assert self._outlets.send(self._replies.address, answer)

    def _send(self, message: Message) -> bool:
        self.sent.append(message)
        return True
