"""What nodes ask of the API, answered by its real application in the test's own process."""

import threading
from pathlib import Path
from typing import Any

import zmq
from oslo_middleware.request_id import RequestId
from werkzeug.serving import make_server

from pratai_api import event_sources
from pratai_api.app import create_app
from pratai_api.audit_trails import LogTrail
from pratai_api.auth import NoAuth
from pratai_api.intake import Intake
from pratai_api.quotas import Alike, Limits, Quotas
from pratai_api.rates import Rates
from pratai_api.replies import Replies
from pratai_api.routes.node import unknown_node
from pratai_api.secret_stores.local import LocalSecrets
from pratai_api.services import Services, Waits
from pratai_common.archives.filesystem import FilesystemArchives
from pratai_common.beat import Witness
from pratai_common.clock import now_ms
from pratai_common.messages import Job, Package
from pratai_common.node_urls import NodeUrls
from pratai_common.publishing import Publisher
from pratai_common.sealing import Sealer
from pratai_common.store.sqlite import SQLiteStore
from pratai_common.submit import Submitter
from pratai_common.tokens import create_key, load_key
from tests.ports import free_port


class NodeApi:
    """One such application, with archives in a folder of its own. ``url`` is where it is, and
    ``revoked`` are the nodes whose keys are not there; ``node_keys`` are those that are, and the
    only ones that are sealed to where nodes have keys: ``curve``.
    """

    def __init__(self, folder: Path) -> None:
        create_key(folder / "api-key")
        self.key = load_key(folder / "api-key")
        self.revoked: set[str] = set()
        self.node_keys: dict[str, bytes] = {}
        self.curve = False
        self.secrets = LocalSecrets(folder / "api-secrets" / "values.json", b"k" * 32)
        self.secret_waits = Waits(8, "secrets")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.urls = NodeUrls(self.url, self.key)
        self.archives = FilesystemArchives(folder / "api-archives", self.urls)
        self.store = SQLiteStore(folder / "api.sqlite")
        self.store.create_schema()
        self._context: zmq.Context[Any] = zmq.Context()
        self._replies = Replies(self._context, "tcp://127.0.0.1:*")
        unbounded = Alike(Limits())
        submitter = Submitter(self.store, self.archives, lambda _: False, now_ms)
        application = create_app(
            Services(
                store=self.store,
                archives=self.archives,
                submitter=submitter,
                publisher=Publisher(self.store, submitter),
                send=lambda _: False,
                replies=self._replies,
                waits=Waits(1, "results"),
                follows=Waits(1, "logs"),
                uploads=Waits(1, "uploads"),
                rates=Rates(lambda: 1),
                name="api",
                witness=Witness(),
                clock=now_ms,
                runtimes=("python3",),
                sources=event_sources.load(),
                key=self.key,
                event_sealer=Sealer(self.key, "event"),
                hook_sealer=Sealer(self.key, "hook"),
                urls=self.urls,
                quotas=Quotas(self.store, unbounded),
                intake=Intake(self.store, None, unbounded, Rates(lambda: 1)),
                secrets=self.secrets,
                secret_waits=self.secret_waits,
                node_key=self._node_key,
                knows_node=lambda name: name not in self.revoked,
            ),
            NoAuth(),
            LogTrail(),
        )
        self._app = RequestId(application)
        self.start()

    def start(self) -> None:
        """Answer, again after a ``stop`` on the same port."""
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="node-api")
        self._thread.start()

    def stop(self) -> None:
        """Answer nothing any more."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def close(self) -> None:
        self.stop()
        self._replies.close()
        self._context.term()
        self.store.close()

    def _node_key(self, name: str) -> bytes | None:
        if self.curve and name not in self.node_keys:
            raise unknown_node(name)
        return self.node_keys.get(name)

    def address(self, sha256: str, seconds: int = 3600) -> str:
        """Return the address of an archive as a scheduler would give it to a node."""
        return self.archives.url(sha256, now_ms() // 1000 + seconds)

    def job(self, request_id: str, content: bytes, payload: bytes) -> Job:
        """Return the first attempt of a run of node ``n``, by a token of this API."""
        body = self.archives.keep(payload)
        return Job(
            request_id=request_id,
            attempt=1,
            node="n",
            epoch=1,
            project_id="p",
            token=self.key.mint(request_id, 1, "n", 1, "p"),
            instance="i",
            package=self.package(content),
            function_name="f",
            memory=64,
            cpus=1.0,
            timeout=30,
            network="none",
            isolation="container",
            environment={},
            source="async",
            created_at=1,
            input=body,
            input_url=None if body.content is not None else self.address(body.sha256),
        )

    def package(self, content: bytes, project_id: str = "p", runtime: str = "python3") -> Package:
        """Return the package of a zip that is kept here."""
        sha256 = self.archives.put(content)
        return Package(
            project_id=project_id,
            function_id="f",
            version=1,
            runtime=runtime,
            archive_sha256=sha256,
            archive_url=self.address(sha256),
        )
