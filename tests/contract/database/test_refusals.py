"""What a real PostgreSQL, or the agent, refuses, and why."""

import socket
import threading
from pathlib import Path

import pytest
from oslo_config import cfg

from tests.contract.database.served import Doorway, Events
from tests.postgresql import Database, PostgreSQL
from tests.rabbitmq import write_certificate


def test_what_cannot_be_served_says_why(
    events: Events, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"PostgreSQL at 127.0.0.1:{database.server.port}"
    database.run(
        "DROP ROLE IF EXISTS plain, follower;"
        "CREATE ROLE plain LOGIN PASSWORD 'of plain';"
        "CREATE ROLE follower LOGIN REPLICATION PASSWORD 'of follower';"
        "CREATE VIEW seen AS SELECT * FROM keyed;"
        "CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);"
        "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)"
    )
    refused = events.refused
    assert "password authentication failed" in refused(events.event(), "wrong")
    assert 'database "nowhere" does not exist' in refused(events.event(database="nowhere"))
    tricky = "host=127.0.0.2 dbname=x"
    assert f'database "{tricky}" does not exist' in refused(events.event(database=tricky))
    assert "null character" in refused(events.event(username="a\0b"))
    assert "NUL" in refused(events.event(tables=["public.a\0b"]))
    assert "the host no.such.invalid is not known" in refused(events.event(host="no.such.invalid"))
    assert "Connection refused" in refused(events.event(port=1))
    assert "server does not support SSL" in refused(events.event(sslmode="require"))
    said = refused(events.event(username="plain"), "of plain")
    assert f"{where}: " in said
    assert "must be superuser or replication role" in said
    names = [
        "public.keyed",
        "public.none",
        "seen",
        "public.seen",
        "public.unlogged",
        "public.parted",
    ]
    assert refused(events.event(tables=names)).startswith(
        "there is no table public.none, seen, public.seen, public.unlogged, public.parted in the "
        f"database {database.name}, or none whose rows are logged"
    )
    with monkeypatch.context() as patch:
        patch.setattr("pratai_agent.sources.replication.PLUGIN", "no_such_plugin")
        assert f"{where} has no no_such_plugin: could not access" in refused(events.event())
    assert database.slots() == {}
    event = events.event(username="follower")
    with events.serving(event, secret="of follower") as door:
        database.run("INSERT INTO keyed VALUES (1, 'a')")
        door.until(1)
    events.source(event, Doorway(), "of follower").clean()
    assert database.slots() == {}
    database.run("DROP ROLE plain, follower")


def test_a_server_is_known_by_its_certificate(
    conf: cfg.ConfigOpts,
    events: Events,
    postgresql: PostgreSQL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conf.set_override("deny_networks", ["::1/128"], "agent")
    certificate = write_certificate(tmp_path)
    strict = events.event(host="localhost", sslmode="verify-full")
    with postgresql.encrypted(certificate):
        assert "certificate verify failed" in events.refused(strict)
        with events.serving(events.event(sslmode="require")):
            pass
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with events.serving(strict):
            pass
        assert 'does not match host name "127.0.0.1"' in events.refused(
            events.event(sslmode="verify-full")
        )


def test_a_server_that_asks_for_more_than_a_password(events: Events) -> None:
    """The agent's user may have tickets: none is shown to a server of somebody's event."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def ask() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"R\0\0\0\x08\0\0\0\x07")  # AuthenticationGSS
                connection.recv(4096)

        asking = threading.Thread(target=ask)
        asking.start()
        said = events.refused(events.event(port=server.getsockname()[1], sslmode="disable"))
        asking.join()
    assert "authentication method requirement" in said
    assert said.endswith("server requested GSSAPI authentication")


def test_networks_that_are_denied(conf: cfg.ConfigOpts, events: Events) -> None:
    conf.set_override("deny_networks", ["127.0.0.0/8"], "agent")
    assert "in a network that events may not connect to" in events.refused(events.event())
