"""Row changes of a real PostgreSQL: which arrive, and in which shape."""

import io
import re
from typing import Any

from oslo_config import cfg

from pratai_common import limits
from tests.contract.database.served import KEYLESS, Doorway, Events
from tests.postgresql import Database, PostgreSQL


def short(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(each["operation"], each["table"], each["old"], each["new"]) for each in rows]


def test_each_operation_and_each_kind_of_old_row(events: Events, database: Database) -> None:
    database.run("INSERT INTO whole VALUES (0, 'before the slot'); DELETE FROM whole")
    with events.serving(events.event()) as door:
        for table, row in (("keyed", "(1, 'a')"), ("whole", "(1, 'a')"), ("keyless", "('a')")):
            database.run(f"INSERT INTO {table} VALUES {row}")
            database.run(f"UPDATE {table} SET name = 'b'")
            database.run(f"DELETE FROM {table}")
        database.run("TRUNCATE keyed; INSERT INTO keyed VALUES (9, NULL)")
        assert short(door.until(8)) == [
            ("insert", "keyed", None, {"id": 1, "name": "a"}),
            ("update", "keyed", {"id": 1}, {"id": 1, "name": "b"}),
            ("delete", "keyed", {"id": 1}, None),
            ("insert", "whole", None, {"id": 1, "name": "a"}),
            ("update", "whole", {"id": 1, "name": "a"}, {"id": 1, "name": "b"}),
            ("delete", "whole", {"id": 1, "name": "b"}, None),
            ("insert", "keyless", None, {"name": "a"}),
            ("insert", "keyed", None, {"id": 9, "name": None}),
        ]
    state, said = door.states[-1]
    assert (state, said.split("; its ")[0]) == ("running", KEYLESS)
    assert re.fullmatch(
        r"replication slot was made at \S+Z; changes from before that do not arrive",
        said.split("; its ")[1],
    )
    first = door.happened[1]
    row = door.rows[1]
    assert first.own_id
    assert first.attributes == {
        "type": "pratai.database.update",
        "subject": "public.keyed",
        "time": row["timestamp"],
    }
    assert row["schema"] == "public"
    assert first.id.endswith(f":{row['timestamp']}:{row['lsn']}:0")
    assert len({each.id for each in door.happened}) == 8


def test_values_of_each_type(events: Events, database: Database) -> None:
    database.run(
        "CREATE TABLE typed (id bigint PRIMARY KEY, exact numeric, flag bool, real float8,"
        " nothing text, bytes bytea, document jsonb, plain json, list int[], day date,"
        " moment timestamptz, span interval, huge numeric, deep json, far json);"
        f"ALTER DATABASE {database.name} SET datestyle = 'SQL, DMY';"
        f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'"
    )
    deep = "[" * 900 + "]" * 900
    with events.serving(events.event(tables=["public.typed"])) as door:
        database.run(
            "INSERT INTO typed VALUES (9007199254740993, 0.1000000000000000000000000000001, true,"
            " 1.5, NULL, %s, '{\"b\": [1, 12345678901234567890.10]}', '{\"é\" :\n 1}', '{1,2}',"
            " '2026-01-31', '2026-01-31 12:00:00.5+01', '1 day 2 hours', %s, %s, '[1e999]')",
            b"\x00\xff",
            "9" * 400,
            deep,
        )
        (row,) = door.until(1)
    database.run(f"ALTER DATABASE {database.name} RESET ALL")
    payload = door.happened[0].payload
    assert b'"id":9007199254740993,' in payload
    assert b'"exact":0.1000000000000000000000000000001,' in payload
    assert b"12345678901234567890.10" in payload
    del row["new"]["exact"]
    assert row["new"] == {
        "id": 9007199254740993,
        "flag": True,
        "real": 1.5,
        "nothing": None,
        "bytes": "00ff",
        "document": {"b": [1, 12345678901234567890.10]},
        "plain": {"é": 1},
        "list": "{1,2}",
        "day": "2026-01-31",
        "moment": "2026-01-31 11:00:00.5+00",
        "span": "1 day 02:00:00",
        "huge": "9" * 400,
        "deep": deep,
        "far": "[1e999]",
    }


def test_values_that_are_stored_apart(events: Events, database: Database) -> None:
    """Where such a value did not change, an update's log has it in a full old row only."""
    for table in ("keyed", "whole"):
        database.run(f"ALTER TABLE {table} ALTER name SET STORAGE EXTERNAL, ADD other int")
    long = "x" * 10_000
    with events.serving(events.event()) as door:
        for table in ("keyed", "whole"):
            database.run(
                f"INSERT INTO {table} VALUES (1, %s, 1); UPDATE {table} SET other = 2", long
            )
        rows = door.until(4)
    assert rows[0]["new"] == {"id": 1, "name": long, "other": 1}
    assert rows[1]["new"] == {"id": 1, "other": 2}
    assert rows[3]["new"] == {"id": 1, "name": long, "other": 2}


def test_a_database_with_another_encoding(
    conf: cfg.ConfigOpts, postgresql: PostgreSQL, database: Database
) -> None:
    database.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with Database(postgresql, "latin") as latin:
        latin.run('CREATE TABLE "größe" (name text)')
        sources = Events(conf, latin)
        event = sources.event(tables=["public.größe"])
        with sources.serving(event) as door:
            latin.run("INSERT INTO \"größe\" VALUES ('é')")
            assert short(door.until(1)) == [("insert", "größe", None, {"name": "é"})]
        sources.source(event, Doorway()).clean()


def test_tables_and_operations_are_chosen(events: Events, database: Database) -> None:
    """By the server, whatever a name is made of; the same change has the same id in each event."""
    odd = """Sales, Dept.Or.der* x\\y"q'z"""
    schema, _, table = odd.partition(".")
    name = '"{}"."{}"'.format(schema.replace('"', '""'), table.replace('"', '""'))
    database.run(f'CREATE SCHEMA "{schema}"; CREATE TABLE {name} (id int PRIMARY KEY)')
    chosen = events.event(tables=[odd, "public.keyed"], operations=["update", "insert"])
    with events.serving(events.event()) as every, events.serving(chosen) as some:
        database.run("INSERT INTO whole VALUES (1, 'a'), (2, 'b'); DELETE FROM whole")
        database.run(f"INSERT INTO {name} VALUES (1), (2); DELETE FROM {name}")
        database.copy("keyed", io.StringIO("1,a\n2,b\n"))
        database.run("DELETE FROM keyed WHERE id = 1; UPDATE keyed SET name = 'c'")
        every.until(12)
        rows = some.until(5)
    database.run(f'DROP SCHEMA "{schema}" CASCADE')
    assert [(each["operation"], f"{each['schema']}.{each['table']}") for each in rows] == [
        ("insert", odd),
        ("insert", odd),
        ("insert", "public.keyed"),
        ("insert", "public.keyed"),
        ("update", "public.keyed"),
    ]
    assert [each.id for each in some.happened] == [
        each.id for each in every.happened if each.payload in {one.payload for one in some.happened}
    ]


def test_a_row_that_is_too_large_is_put_aside(events: Events, database: Database) -> None:
    with events.serving(events.event()) as door:
        database.run("INSERT INTO keyed VALUES (1, repeat('x', %s))", limits.MAX_BODY_BYTES)
        database.run("INSERT INTO keyed VALUES (2, repeat('x', %s))", limits.MAX_BODY_BYTES - 1000)
        (row,) = door.until(1)
    assert row["new"]["id"] == 2
    (error,) = door.errors
    assert error.startswith("a row of public.keyed is larger than 6291456 bytes (")
