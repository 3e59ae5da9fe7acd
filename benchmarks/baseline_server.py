"""``python -m benchmarks.baseline_server --config-file CONF``: the API's own server with no
platform behind it.

The same gunicorn with the same settings answers four routes: ``/nothing`` answers 202 and does
nothing else; ``/echo`` answers the payload; ``/accept`` writes the record durably, then answers its
id; ``/run`` does the same, and has the result written durably behind it. Writes are shared in one
transaction as in the real store, but by sqlite3 itself, into one table.
"""

import queue
import sqlite3
import sys
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path

import msgspec
from flask import Flask, Response, request

from pratai_api import options
from pratai_api.daemon import ApiServer
from pratai_api.schemas import Call
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_common.clock import iso, now_ms
from pratai_common.records import Request
from pratai_common.tokens import create_key

_SCHEMA = """CREATE TABLE IF NOT EXISTS requests
(id PRIMARY KEY, doc, input, result, runs INTEGER) WITHOUT ROWID"""
_INSERT = "INSERT INTO requests (id, doc, input, runs) VALUES (?, ?, ?, ?)"
_UPDATE = "UPDATE requests SET result = ? WHERE id = ?"
_SELECT = "SELECT input, result FROM requests WHERE id = ?"
_UNFINISHED = "SELECT count(*) FROM requests WHERE runs AND result IS NULL"
_Write = tuple[str, tuple[object, ...], Future[None]]


class Ledger:
    """One SQLite file: a thread that writes, and a connection a thread that reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._queue: queue.SimpleQueue[_Write] = queue.SimpleQueue()
        self._connection().execute(_SCHEMA)
        threading.Thread(target=self._serve, daemon=True).start()

    def write(self, statement: str, *values: object) -> Future[None]:
        """Have something written; the future is done when it is durable."""
        done: Future[None] = Future()
        self._queue.put((statement, values, done))
        return done

    def read(self, statement: str, *values: object) -> tuple[object, ...] | None:
        """Return the first row."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connection()
        row: tuple[object, ...] | None = self._local.connection.execute(
            statement, values
        ).fetchone()
        return row

    def _serve(self) -> None:
        connection = self._connection()
        while True:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get())
            connection.execute("BEGIN IMMEDIATE")
            for statement, values, _ in group:
                connection.execute(statement, values)
            connection.execute("COMMIT")
            for _, _, done in group:
                done.set_result(None)

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL").close()
        return connection


class BaselineServer(ApiServer):
    """The API's server with another application."""

    def load_config(self) -> None:
        """Take over the API's settings, without its messages."""
        super().load_config()
        self.cfg.set("loglevel", "warning")

    def load(self) -> Flask:
        """Build the application, in the worker."""
        return _app(Ledger(configuration.state_path(self._conf, "baseline.sqlite")))


def _app(ledger: Ledger) -> Flask:
    app = Flask("baseline")

    def accept(runs: bool) -> tuple[str, bytes]:
        record, payload = _record()
        document = msgspec.json.encode(record)
        ledger.write(_INSERT, record.request_id, document, payload, runs).result()
        return record.request_id, payload

    @app.post("/nothing")
    def _nothing() -> Response:
        return _json(b"{}", 202)

    @app.post("/echo")
    def _echo() -> Response:
        return _json(_payload())

    @app.post("/accept")
    def _accept() -> Response:
        return _accepted(accept(runs=False)[0])

    @app.post("/run")
    def _run() -> Response:
        request_id, payload = accept(runs=True)
        ledger.write(_UPDATE, payload, request_id)
        return _accepted(request_id)

    @app.get("/requests/<request_id>")
    def _show(request_id: str) -> Response:
        came_in, result = ledger.read(_SELECT, request_id) or (b"null", None)
        status = "running" if result is None else "success"
        shown = {"status": status, "result": _raw(result), "payload": _raw(came_in)}
        return _json(msgspec.json.encode(shown))

    @app.get("/unfinished")
    def _unfinished() -> Response:
        return _json(msgspec.json.encode(ledger.read(_UNFINISHED)))

    return app


def _payload() -> bytes:
    return bytes(msgspec.json.decode(request.get_data(), type=Call).payload)


def _raw(document: object) -> msgspec.Raw:
    return msgspec.Raw(document if isinstance(document, bytes) else b"null")


def _json(document: bytes, code: int = 200) -> Response:
    return Response(document, code, mimetype="application/json")


def _accepted(request_id: str) -> Response:
    return _json(msgspec.json.encode({"request_id": request_id}), 202)


def _record() -> tuple[Request, bytes]:
    """Return a record with the fields of a real one, and what came in."""
    now, request_id = now_ms(), str(uuid.uuid4())
    record = Request(
        request_id=request_id,
        function_id=request_id,
        project_id="default",
        user_id="default",
        source="http",
        event={
            "specversion": "1.0",
            "id": f"call:{request_id}",
            "source": f"/v1/functions/{request_id}",
            "type": "pratai.http",
            "time": iso(now),
            "datacontenttype": "application/json",
        },
        created_at=now,
        expires_at=now + limits.ASYNC_LIFETIME_MS,
        next_run_at=now,
    )
    return record, _payload()


def main() -> None:
    """Run the program."""
    conf = configuration.load("baseline", sys.argv[1:])
    options.register(conf)
    create_key(configuration.token_key_path(conf))  # the API's server wants one
    BaselineServer(conf).run()


if __name__ == "__main__":
    main()
