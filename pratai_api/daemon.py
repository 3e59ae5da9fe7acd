"""``pratai-api``: gunicorn with one worker process, several of which stand behind nginx."""

import gc
import sys
from typing import Any

import zmq
from gunicorn.app.base import BaseApplication
from oslo_config import cfg

from pratai_api import event_sources, http_metrics, liveness, middleware_options, pipeline
from pratai_api.access_log import AccessLog
from pratai_api.app import create_app
from pratai_api.audit_trails import Chosen, ClosingTrail, open_trail
from pratai_api.auth import open_identity
from pratai_api.hints import Hints
from pratai_api.intake import Intake
from pratai_api.isolations import Isolations
from pratai_api.quotas import Quotas, open_limits
from pratai_api.rates import Processes, Rates
from pratai_api.replies import Replies
from pratai_api.routes.node import unknown_node
from pratai_api.secret_stores import open_secret_store
from pratai_api.services import Services, Waits
from pratai_api.worker import ApiWorker
from pratai_common import conf as configuration
from pratai_common import envelopes, limits, peers
from pratai_common.admission import Admission, Bounds, Counting
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Context, Outlets
from pratai_common.clock import now_ms
from pratai_common.curve import open_curve
from pratai_common.daemon import installation_key
from pratai_common.messages import Message, Submitted
from pratai_common.metrics import Metrics, Submissions, dropped
from pratai_common.node_urls import NodeUrls, node_url
from pratai_common.publishing import Publisher
from pratai_common.sealing import Sealer
from pratai_common.senders import Identity, Role
from pratai_common.store.base import Store, open_store
from pratai_common.store.measured import measure
from pratai_common.submit import Submitter
from pratai_common.tracing import Sampling

_UPLOADS = 4
"""So many zips are in memory at a time, of 50 MiB at most."""

_UPLOAD_PATIENCE_SECONDS = 10.0
_SECRET_PATIENCE_SECONDS = 1.0


class ApiServer(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured by ours. The worker opens store and sockets after it was forked."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._key = installation_key(conf)
        self._curve = open_curve(conf, Identity(Role.API))
        self._identity = open_identity(conf)
        self._health = pipeline.Health(conf)
        self._store: Store | None = None
        self._beat: Beat | None = None
        self._counting: Counting | None = None
        self._replies: Replies | None = None
        self._trail: ClosingTrail | None = None
        self._metrics: Metrics | None = None
        super().__init__()

    def load_config(self) -> None:
        """Take over the settings that matter."""
        settings: dict[str, Any] = {
            "bind": f"{self._conf.api.host}:{self._conf.api.port}",
            "workers": 1,
            "worker_class": ApiWorker,
            "threads": self._conf.api.threads,
            "keepalive": limits.API_KEEPALIVE_SECONDS,
            "limit_request_line": limits.MAX_REQUEST_LINE_BYTES,
            "graceful_timeout": self._conf.grace_seconds,
            "worker_exit": lambda _server, _worker: self._close(),
            "control_socket_disable": True,
            "forwarder_headers": "",
            "proc_name": "pratai-api",
        }
        if self._conf.api.access_log:
            settings["logger_class"] = AccessLog
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> pipeline.Application:
        """Build the application, in the worker."""
        conf = self._conf
        metrics = self._metrics = Metrics("api")
        store = self._store = measure(open_store(conf), metrics.registry)
        archives = open_archives(conf, self._key)
        context: Context = zmq.Context.instance()
        outlets = Outlets(context, self._curve)
        schedulers = peers.schedulers(conf)
        replies = self._replies = Replies(context, conf.api.reply_bind, self._curve)

        def send_now(message: Message) -> bool:
            return outlets.send_each(schedulers, message)

        hints = Hints(send_now)

        def send(message: Message) -> bool:
            hint = isinstance(message, Submitted) and message.recorded
            return hints.put(message) if hint else send_now(message)

        admission, limits_of = Admission(Bounds.from_conf(conf)), open_limits(conf)
        processes = Processes(lambda: len(liveness.living("api")))
        intake = Intake(store, admission, limits_of, Rates(processes))
        submitter = Submitter(
            store,
            archives,
            send,
            now_ms,
            intake,
            observe=Submissions(metrics.registry),
            sampling=Sampling.from_conf(conf),
        )
        beat = self._beat = Beat(store, "api", now_ms, lambda: replies.dropped, replies.address)
        beat.start()
        counting = self._counting = Counting(store, admission, beat.witness, now_ms)
        counting.start()
        services = Services(
            store,
            archives,
            submitter,
            Publisher(store, submitter),
            send,
            replies,
            Waits(max(1, conf.api.threads // 2), "results"),
            Waits(max(1, conf.api.threads // 4), "logs"),
            Waits(_UPLOADS, "a look into what they upload", _UPLOAD_PATIENCE_SECONDS),
            Rates(processes),
            beat.daemon_id,
            beat.witness,
            now_ms,
            configuration.runtime_names(conf),
            event_sources.load(),
            self._key,
            Sealer(self._key, "event"),
            Sealer(self._key, "hook"),
            NodeUrls(node_url(conf), self._key),
            Quotas(store, limits_of),
            intake,
            open_secret_store(conf, self._key, self._identity.sessions),
            Waits(max(1, conf.api.threads // 8), "secrets", _SECRET_PATIENCE_SECONDS),
            conf.api.trust_proxy_ids,
            self._health.ailments,
            self._knows_node,
            Isolations.from_conf(conf),
            self._node_key,
            self._identity.trusts,
            tuple(conf.secrets.trust_roles),
        )
        trail = self._trail = open_trail(conf)
        chosen = Chosen(trail, conf.audit.ignore)
        app = create_app(services, self._identity, chosen)
        http_metrics.register(app, metrics.registry)
        metrics.read(lambda: [dropped(replies.dropped)])
        metrics.serve(conf)
        application = pipeline.wrap(app, conf)
        gc.freeze()  # what is there by now stays: to look through it again and again costs 5 %
        return application

    def _knows_node(self, name: str) -> bool:
        """Say whether what a node brings is taken: it comes by HTTP, and not by its key."""
        return self._curve is None or self._curve.knows(Identity(Role.NODE, name))

    def _node_key(self, name: str) -> bytes | None:
        """Return the key that is sealed to a node by, ``None`` where nodes have none; raises
        ApiError where this one's was taken away.
        """
        if self._curve is None:
            return None
        key = self._curve.key(Identity(Role.NODE, name))
        if key is None:
            raise unknown_node(name)
        return envelopes.curve_key(key)

    def _close(self) -> None:
        if self._counting is not None:
            self._counting.stop()
        if self._beat is not None:
            self._beat.stop()
        if self._replies is not None:
            self._replies.close()
        if self._trail is not None:
            self._trail.close()
        if self._store is not None:
            self._store.close()
        if self._metrics is not None:
            self._metrics.close()


def main() -> None:
    """Run the program."""
    conf = configuration.load("pratai-api", sys.argv[1:])
    middleware_options.register(conf)
    ApiServer(conf).run()
