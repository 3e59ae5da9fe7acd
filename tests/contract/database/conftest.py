"""A database whose tables are those of each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

from pratai_common import conf as configuration
from tests.contract.database.served import Events
from tests.postgresql import Database, PostgreSQL


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    path = tmp_path / "pratai.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n[agent]\ndeny_networks =\n")
    return configuration.load("test", ["--config-file", str(path)])


@pytest.fixture(scope="package")
def database(postgresql: PostgreSQL) -> Iterator[Database]:
    """The database of all tests here."""
    with postgresql.database() as made:
        yield made


@pytest.fixture
def events(conf: cfg.ConfigOpts, database: Database) -> Iterator[Events]:
    """Events of a database where one table has a key, one that and full old rows, one neither."""
    database.run(
        "CREATE TABLE keyed (id int PRIMARY KEY, name text);"
        "CREATE TABLE whole (id int PRIMARY KEY, name text);"
        "ALTER TABLE whole REPLICA IDENTITY FULL;"
        "CREATE TABLE keyless (name text)"
    )
    yield Events(conf, database)
    database.until_idle()
    for slot in database.slots():
        database.run("SELECT pg_drop_replication_slot(%s)", slot)
    database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
