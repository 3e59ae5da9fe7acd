"""``pratai-api``: gunicorn with one worker process, several of which stand behind nginx."""

import gc
import sys
from typing import Any

import zmq
from gunicorn.app.base import BaseApplication
from oslo_config import cfg

from pratai_api import event_sources, liveness, options, pipeline
from pratai_api.access_log import AccessLog
from pratai_api.app import create_app
from pratai_api.auth import open_identity
from pratai_api.hints import Hints
from pratai_api.quotas import Quotas
from pratai_api.rates import Processes, Rates
from pratai_api.replies import Replies
from pratai_api.services import Services, Waits
from pratai_api.worker import ApiWorker
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.archives import open_archives
from pratai_common.beat import Beat
from pratai_common.channels import Context, Outlets
from pratai_common.clock import now_ms
from pratai_common.daemon import installation_key
from pratai_common.messages import Message, Submitted
from pratai_common.node_urls import NodeUrls, node_url
from pratai_common.publishing import Publisher
from pratai_common.sealing import Sealer
from pratai_common.store.base import Store, open_store
from pratai_common.submit import Submitter


class ApiServer(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured by ours. The worker opens store and sockets after it was forked."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._key = installation_key(conf)
        self._identity = open_identity(conf)
        self._health = pipeline.Health(conf)
        self._store: Store | None = None
        self._beat: Beat | None = None
        self._replies: Replies | None = None
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
        store = self._store = open_store(conf)
        archives = open_archives(conf, self._key)
        context: Context = zmq.Context.instance()
        outlets = Outlets(context)
        replies = self._replies = Replies(context, conf.api.reply_bind)

        def send_now(message: Message) -> bool:
            return outlets.send(conf.sockets.scheduler, message)

        hints = Hints(send_now)

        def send(message: Message) -> bool:
            hint = isinstance(message, Submitted) and message.recorded
            return hints.put(message) if hint else send_now(message)

        submitter = Submitter(store, archives, send, now_ms)
        beat = self._beat = Beat(store, "api", now_ms, lambda: replies.dropped, replies.address)
        beat.start()
        services = Services(
            store,
            archives,
            submitter,
            Publisher(store, submitter),
            send,
            replies,
            Waits(max(1, conf.api.threads // 2), "results"),
            Waits(max(1, conf.api.threads // 4), "logs"),
            Rates(Processes(lambda: len(liveness.living("api")))),
            beat.daemon_id,
            beat.witness,
            now_ms,
            configuration.runtime_names(conf),
            event_sources.load(),
            self._key,
            Sealer(self._key, "event"),
            Sealer(self._key, "hook"),
            NodeUrls(node_url(conf), self._key),
            Quotas.from_conf(conf),
            conf.api.trust_proxy_ids,
            self._health.ailments,
        )
        application = pipeline.wrap(create_app(services, self._identity), conf)
        gc.freeze()  # what is there by now stays: to look through it again and again costs 5 %
        return application

    def _close(self) -> None:
        if self._beat is not None:
            self._beat.stop()
        if self._replies is not None:
            self._replies.close()
        if self._store is not None:
            self._store.close()


def main() -> None:
    """Run the program."""
    conf = configuration.load("pratai-api", sys.argv[1:])
    options.register(conf)
    ApiServer(conf).run()
