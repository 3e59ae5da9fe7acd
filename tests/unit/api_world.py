"""The API in the test's own process, on a store that is away when it is told to be."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import zmq
from flask.testing import FlaskClient

from pratai_api import cadf, event_sources
from pratai_api.app import create_app
from pratai_api.audit import Trail
from pratai_api.auth import Identity, NoAuth
from pratai_api.intake import Intake
from pratai_api.isolations import Isolations
from pratai_api.quotas import Alike, Limits, Quotas
from pratai_api.rates import Rates
from pratai_api.replies import Replies
from pratai_api.secret_stores import SecretStore
from pratai_api.secret_stores.local import LocalSecrets
from pratai_api.services import Services, Waits
from pratai_api.trusts import Trusts
from pratai_common import peers
from pratai_common.admission import Admission
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
ALL_ISOLATIONS = Isolations()
UNBOUNDED = Limits()


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

    def log_chunks(
        self, request_id: str, after: Position | None = None, limit: int | None = None
    ) -> list[LogChunk]:
        self.looks += 1
        if self.looks <= self.behind:
            return []
        read = super().log_chunks
        return self._reach("log_chunks", lambda: read(request_id, after, limit))


class ApiWorld:
    """An application, what it sent to the scheduler, and how its callers are answered."""

    def __init__(
        self,
        folder: Path,
        identity: Identity | None = None,
        limits: Limits = UNBOUNDED,
        admission: Admission | None = None,
        isolations: Isolations = ALL_ISOLATIONS,
        secrets: SecretStore | None = None,
        trusts: Trusts | None = None,
        trail: Trail | None = None,
    ) -> None:
        self.store = Away(folder / "store.sqlite")
        self.store.create_schema()
        self.sent: list[Any] = []
        archives = in_folder(folder / "archives")
        self.uploads = Waits(1, "uploads")
        self.secret_waits = Waits(1, "secrets")
        self._context: zmq.Context[Any] = zmq.Context()
        self._replies = Replies(self._context, "tcp://127.0.0.1:*")
        self._outlets = Outlets(self._context)
        intake = Intake(self.store, admission, Alike(limits), Rates(lambda: 1))
        submitter = Submitter(self.store, archives, self.sent.append, now_ms, intake)
        self.audited: list[tuple[cadf.Event, str]] = []
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
                uploads=self.uploads,
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
                quotas=Quotas(self.store, Alike(limits)),
                intake=intake,
                secrets=secrets or LocalSecrets(folder / "secrets" / "values.json", b"k" * 32),
                secret_waits=self.secret_waits,
                trusts=trusts,
                isolations=isolations,
            ),
            identity or NoAuth(),
            trail or self,
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

    def put(self, event: cadf.Event, rule: str) -> None:
        """Keep what is audited, as pratai_api.audit.Trail."""
        self.audited.append((event, rule))

    def answer(self, answer: Answer) -> None:
        """Answer a caller as the collector does."""
        assert self._outlets.send(peers.api(self._replies.address), answer)

    def _send(self, message: Message) -> bool:
        self.sent.append(message)
        return True
