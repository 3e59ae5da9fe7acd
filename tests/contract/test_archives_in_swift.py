"""Archives in Swift while it or Keystone is not there, and when their key is replaced."""

from pathlib import Path

import pytest

from pratai_common.errors import ArchiveMissingError, ArchivesUnavailableError
from pratai_common.tokens import TokenKey
from tests.archives import asked, soon
from tests.keystone import Keystone
from tests.swift import InSwift, Swift


def test_swift_is_away(in_swift: InSwift, swift: Swift, tmp_path: Path) -> None:
    archives = in_swift(tmp_path)
    archives.prepare()
    name = archives.put(b"content")
    with swift.service.away():
        with pytest.raises(ArchivesUnavailableError, match="cannot be written"):
            archives.put(b"more")
        with pytest.raises(ArchivesUnavailableError, match="cannot be read"):
            archives.get(name)
        with pytest.raises(ArchivesUnavailableError, match="container"):
            in_swift(tmp_path).prepare()
        # An address needs nobody.
        url = archives.url(name, soon())
    assert archives.get(name) == asked(url).content == b"content"
    assert archives.get(archives.put(b"more")) == b"more"


def test_swift_hangs(in_swift: InSwift, swift: Swift, tmp_path: Path) -> None:
    archives, hasty = in_swift(tmp_path), in_swift(tmp_path, timeout=1)
    archives.prepare()
    name = archives.put(b"content")
    assert hasty.get(name) == b"content"
    with swift.service.hanging():
        with pytest.raises(ArchivesUnavailableError, match="cannot be written"):
            hasty.put(b"more")
        with pytest.raises(ArchivesUnavailableError, match="cannot be read"):
            hasty.get(name)
    assert archives.get(name) == b"content"
    assert archives.get(archives.put(b"more")) == b"more"


def test_keystone_is_away(in_swift: InSwift, keystone: Keystone, tmp_path: Path) -> None:
    known = in_swift(tmp_path)
    known.prepare()
    new = in_swift(tmp_path)
    with keystone.away():
        name = known.put(b"content")  # it has a token
        with pytest.raises(ArchivesUnavailableError, match="where Swift is"):
            new.get(name)
        with pytest.raises(ArchivesUnavailableError, match="where Swift is"):
            new.url(name, soon())
    assert new.get(name) == b"content"


def test_a_container_that_is_not_there(in_swift: InSwift, tmp_path: Path) -> None:
    archives = in_swift(tmp_path)
    with pytest.raises(ArchivesUnavailableError, match="cannot be written"):
        archives.put(b"content")
    archives.prepare()
    assert archives.get(archives.put(b"content")) == b"content"


def test_what_is_damaged_in_swift_is_missing(in_swift: InSwift, tmp_path: Path) -> None:
    """Somebody else wrote under its name."""
    archives = in_swift(tmp_path)
    archives.prepare()
    name = archives.put(b"content")
    connection = archives._connection()  # type: ignore[attr-defined] # what else could write it
    connection.put_object(archives._container, name, b"c0ntent")  # type: ignore[attr-defined]
    with pytest.raises(ArchiveMissingError, match="damaged"):
        archives.get(name)
    archives.put(b"content")
    assert archives.get(name) == b"content"


def test_addresses_by_a_former_key_stay_valid(in_swift: InSwift, tmp_path: Path) -> None:
    archives = in_swift(tmp_path)
    archives.prepare()
    name = archives.put(b"content")
    former = archives.url(name, soon())
    replaced = InSwift(in_swift.conf, TokenKey(b"another key"))(tmp_path)
    assert asked(replaced.url(name, soon())).status_code == 401
    for _ in range(2):
        replaced.prepare()
        assert asked(replaced.url(name, soon())).content == b"content"
        assert asked(former).content == b"content"
