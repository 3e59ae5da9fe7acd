"""``python -m benchmarks.chain ROLE FOLDER PORT``: a plain chain of the platform's shape.

Flask on gunicorn's threads → PUSH/PULL → a scheduler → a node, with a thread for each slot → a unix
socket, at whose other end a process calls a Python function → a collector → back to the thread
whose caller waits. Messages are msgspec's. There is no authentication, no validation, no admission,
no log and no record, and what fails is not noticed. It is what a call of this shape costs at least.

Four processes: ``api``, ``scheduler``, ``node``, ``collector``; and one behind each slot's socket.
"""

import queue
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import zmq
from flask import Flask, Response, request
from gunicorn.app.base import BaseApplication

from benchmarks import chain_runner
from pratai_common import limits

SLOTS = 8
_THREADS = 64
"""As many as an API process has by default."""

Socket = zmq.Socket[bytes]


class _Sent(msgspec.Struct):
    payload: msgspec.Raw = msgspec.Raw(b"null")


class _Call(msgspec.Struct):
    identity: str
    reply_to: str
    payload: bytes


class _Result(msgspec.Struct):
    identity: str
    reply_to: str
    output: bytes


_encode = msgspec.msgpack.Encoder().encode
_call_of = msgspec.msgpack.Decoder(_Call).decode
_result_of = msgspec.msgpack.Decoder(_Result).decode


def address(folder: Path, role: str) -> str:
    """Return where a role takes messages."""
    return f"tcp://127.0.0.1:{(folder / role).read_text()}"


def _pull(folder: Path, role: str) -> Socket:
    """Bind a role's inlet to a free port, and tell the others which it is."""
    socket_: Socket = zmq.Context.instance().socket(zmq.PULL)
    port = socket_.bind_to_random_port("tcp://127.0.0.1")
    (folder / f".{role}").write_text(str(port))
    (folder / f".{role}").rename(folder / role)
    return socket_


def _push(target: str) -> Socket:
    socket_: Socket = zmq.Context.instance().socket(zmq.PUSH)
    socket_.connect(target)
    return socket_


class _Api(BaseApplication):  # type: ignore[misc]
    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"127.0.0.1:{self._port}",
            "worker_class": "gthread",
            "threads": _THREADS,
            "keepalive": limits.API_KEEPALIVE_SECONDS,
            "control_socket_disable": True,
            "loglevel": "warning",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        waiting: dict[str, Future[bytes]] = {}
        inlet = _pull(self._folder, "api")
        reply_to, scheduler = address(self._folder, "api"), address(self._folder, "scheduler")
        outlets = threading.local()

        def take() -> None:
            while True:
                result = _result_of(inlet.recv())
                waiting[result.identity].set_result(result.output)

        def send(call: _Call) -> None:
            if not hasattr(outlets, "scheduler"):
                outlets.scheduler = _push(scheduler)
            outlets.scheduler.send(_encode(call))

        threading.Thread(target=take, daemon=True).start()
        app = Flask("chain")

        @app.post("/call")
        def _call() -> Response:
            sent = msgspec.json.decode(request.get_data(), type=_Sent)
            identity, answer = str(uuid.uuid4()), Future[bytes]()
            waiting[identity] = answer
            send(_Call(identity, reply_to, bytes(sent.payload)))
            output = answer.result()
            del waiting[identity]
            return Response(output, mimetype="application/json")

        return app


def _api(folder: Path, port: int) -> None:
    _Api(folder, port).run()


def _scheduler(folder: Path, _port: int) -> None:
    inlet, node = _pull(folder, "scheduler"), _push(address(folder, "node"))
    while True:
        node.send(_encode(_call_of(inlet.recv())))


def _node(folder: Path, _port: int) -> None:
    jobs: queue.SimpleQueue[_Call] = queue.SimpleQueue()
    for _ in range(SLOTS):
        runner, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        subprocess.Popen([sys.executable, "-m", "benchmarks.chain_runner"], stdin=its_end.fileno())
        its_end.close()
        threading.Thread(target=_slot, args=(folder, jobs, runner), daemon=True).start()
    inlet = _pull(folder, "node")
    while True:
        jobs.put(_call_of(inlet.recv()))


def _slot(folder: Path, jobs: "queue.SimpleQueue[_Call]", runner: socket.socket) -> None:
    collector = _push(address(folder, "collector"))
    while True:
        job = jobs.get()
        chain_runner.write(runner, job.payload)
        result = _Result(job.identity, job.reply_to, chain_runner.read(runner))
        collector.send(_encode(result))


def _collector(folder: Path, _port: int) -> None:
    inlet = _pull(folder, "collector")
    apis: dict[str, Socket] = {}
    while True:
        result = _result_of(inlet.recv())
        if result.reply_to not in apis:
            apis[result.reply_to] = _push(result.reply_to)
        apis[result.reply_to].send(_encode(result))


ROLES: dict[str, Callable[[Path, int], None]] = {
    "collector": _collector,
    "node": _node,
    "scheduler": _scheduler,
    "api": _api,
}
"""In the order in which they start: each knows where the next one is."""


def main() -> None:
    """Run the program."""
    role, folder, port = sys.argv[1:]
    sys.argv[1:] = []  # which gunicorn would read
    ROLES[role](Path(folder), int(port))


if __name__ == "__main__":
    main()
