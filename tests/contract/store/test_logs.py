"""Pieces of logs: stored if absent, read in order, followed from a position."""

import random

from pratai_common.store.base import Position, Store
from tests.contract.store.conftest import Open, Shows
from tests.contract.store.records import chunk

PIECES = [chunk(1, 0), chunk(1, 1), chunk(1, 2), chunk(1, 10), chunk(2, 0), chunk(10, 3)]


def test_pieces_are_read_in_order(store: Store, shows: Shows) -> None:
    mixed = random.Random(7).sample(PIECES, len(PIECES))
    assert mixed != PIECES
    for each in mixed:
        store.add_log_chunks([each])
    shows(lambda: store.log_chunks("r001"), PIECES)


def test_a_piece_stays_as_it_was_first_written(open_store: Open, shows: Shows) -> None:
    store, other = open_store(), open_store()
    store.add_log_chunks([])
    store.add_log_chunks([chunk(1, 0, b"first"), chunk(1, 0, b"again"), chunk(1, 1)])
    shows(lambda: other.log_chunks("r001"), [chunk(1, 0, b"first"), chunk(1, 1)])
    other.add_log_chunks([chunk(1, 0, b"late"), chunk(1, 2, b"new"), chunk(1, 1, b"late")])
    shows(
        lambda: store.log_chunks("r001"),
        [chunk(1, 0, b"first"), chunk(1, 1), chunk(1, 2, b"new")],
    )


def test_pieces_are_kept_byte_for_byte(store: Store, shows: Shows) -> None:
    contents = [b"", b"\xff\x00\n\r", "“ö”".encode(), bytes(range(256)) * 256]
    pieces = [chunk(1, seq, content) for seq, content in enumerate(contents)]
    store.add_log_chunks(pieces)
    shows(lambda: store.log_chunks("r001"), pieces)


def test_logs_are_followed_from_a_position(store: Store, shows: Shows) -> None:
    store.add_log_chunks(PIECES)
    shows(lambda: len(store.log_chunks("r001")), len(PIECES))
    for number, each in enumerate(PIECES):
        after = Position(each.attempt, each.seq)
        assert store.log_chunks("r001", after) == PIECES[number + 1 :]
    assert store.log_chunks("r001", Position(0, 99)) == PIECES
    assert store.log_chunks("r001", Position(1, 5)) == PIECES[3:]
    assert store.log_chunks("r001", Position(3, 0)) == PIECES[5:]


def test_logs_are_read_some_at_a_time(store: Store, shows: Shows) -> None:
    store.add_log_chunks(PIECES)
    shows(lambda: len(store.log_chunks("r001")), len(PIECES))
    assert store.log_chunks("r001", limit=2) == PIECES[:2]
    assert store.log_chunks("r001", Position(1, 1), 3) == PIECES[2:5]
    assert store.log_chunks("r001", Position(1, 1), 4) == PIECES[2:]
    assert store.log_chunks("r001", Position(1, 1), 99) == PIECES[2:]


def test_a_request_has_its_own_logs(store: Store, shows: Shows) -> None:
    mine, theirs = chunk(1, 0, b"mine"), chunk(1, 0, b"theirs", request_id="r002")
    store.add_log_chunks([mine, theirs])
    shows(lambda: store.log_chunks("r001"), [mine])
    shows(lambda: store.log_chunks("r002"), [theirs])
    assert store.log_chunks("r00") == []
    assert store.log_chunks("r002", Position(1, 0)) == []
