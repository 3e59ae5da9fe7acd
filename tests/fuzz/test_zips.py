"""No zip does anything but to be refused, or to be files that lie in their folder."""

import bz2
import lzma
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies as st

from pratai_common import limits, package
from pratai_common.errors import PackageError
from pratai_common.languages import PYTHON
from pratai_drivers.build_folder import _write_package
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.inputs import damaged
from tests.fuzz.zips import (
    BZIP2,
    DEFLATED,
    LZMA,
    MODULE,
    STORED,
    Entry,
    deflated,
    odd_zips,
    written,
)
from tests.packages import ECHO, zipped

SOUND = [ECHO, zipped({"new_module.py": MODULE, "a/b.txt": "x" * 500, "requirements.txt": ""})]
FIELDS = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\0\0\0\0", b"\xff\xff\xff\xff"]


@contextmanager
def bounded(most: int) -> Iterator[None]:
    """Check that no more than so many bytes are needed at a time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


@fuzz("zips", odd_zips() | damaged(SOUND, FIELDS) | st.binary(max_size=200), 200)
def test_a_zip_is_refused_or_lies_in_its_folder(content: bytes) -> None:
    try:
        files = {file.path: file for file in package.files(content)}
    except PackageError:
        with pytest.raises(PackageError):
            package.check(content, PYTHON)
        return
    assert sum(len(file.content) for file in files.values()) <= limits.MAX_UNPACKED_BYTES
    if not files:  # no function's
        return
    with TemporaryDirectory() as around:
        root = Path(around) / "package"
        _write_package(root, files.values())
        assert list(Path(around).iterdir()) == [root]
        there = [path for path in root.rglob("*") if not path.is_dir()]
        assert {str(path.relative_to(root)) for path in there} == set(files)
        for path in there:
            assert not path.is_symlink()
            assert path.read_bytes() == files[str(path.relative_to(root))].content


STATEMENTS = [
    "if 0:", "elif 0:", "else:", "try:", "except A:", "except* A:", "finally:", "match x:",
    "case _:", "def main(p=None): pass", "async def main(p): pass", "class main: pass", "main = 1",
    "main: int", "from a import *", "import main", "import a as main", "with a as main:",
    "for main in a:",
    "lambda: (yield)", "return", "global main", "del main", "(main := 1)", "pass", "\\", "'\\d'",
    "f'{", "# coding: rot13", "# coding: utf-16", "\f", "\x1a", "\0", "é", "@", "main", "(" * 99,
    "{" * 60, "[" * 60 + "1", "-" * 3000 + "1", "not " * 900 + "1", "1" * 5000, "a." * 900 + "a",
    "b''" * 50,
]  # fmt: skip


@st.composite
def modules(draw: st.DrawFn) -> bytes:
    """Return lines of Python, each at some depth."""
    lines = draw(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(STATEMENTS)), max_size=8))
    return "\n".join(f"{' ' * depth}{text}" for depth, text in lines).encode()


@fuzz("modules", modules() | st.binary(max_size=60), 100)
def test_a_module_is_refused_or_may_define_main(content: bytes) -> None:
    zip_content, refusal = zipped({"new_module.py": content}), None
    try:
        package.check(zip_content, PYTHON)
    except PackageError as error:
        refusal = str(error)
    if refusal is None:
        assert b"main" in content or b"*" in content
    else:
        assert refusal.startswith("new_module.py")
        assert len(refusal) < 1000


ELIFS = "if 0: pass\n" + "elif 0: pass\n" * 700


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        (f"{ELIFS}else: pass", "defines no main"),
        (f"{ELIFS}else: main = print", None),
        ("try: import a\nexcept ImportError:\n    def main(p): pass", None),
        ("match 1:\n    case 1: main = print", None),
        ("def f():\n    main = print", "defines no main"),
    ],
)
def test_main_is_looked_for_however_deep_it_is(source: str, refused: str | None) -> None:
    if refused is None:
        package.check(zipped({"new_module.py": source}), PYTHON)
    else:
        with pytest.raises(PackageError, match=refused):
            package.check(zipped({"new_module.py": source}), PYTHON)


MIB = limits.MIB
ZEROS = bytes(8 * MIB)


@pytest.mark.parametrize(
    ("method", "packed"),
    [
        (BZIP2, bz2.compress(ZEROS)),
        (LZMA, b"\x09\x04\x05\0" + lzma.compress(ZEROS, lzma.FORMAT_ALONE, preset=0)[:5] + b"x"),
    ],
    ids=["bzip2", "lzma"],
)
def test_methods_that_unpack_all_there_is_are_refused(method: int, packed: bytes) -> None:
    """An entry says that it has ten bytes; zipfile would unpack 8 MiB to give them."""
    small = Entry(b"new_module.py", MODULE, method, packed=packed, size=10)
    with bounded(MIB), pytest.raises(PackageError, match="another way than by deflate"):
        package.check(written([small]), PYTHON)


def test_a_bomb_is_unpacked_as_far_as_it_says() -> None:
    bomb = deflated(ZEROS)
    module = Entry(b"new_module.py", MODULE, DEFLATED)
    with bounded(MIB), pytest.raises(PackageError, match="a cannot be unpacked: Bad CRC"):
        package.check(written([module, Entry(b"a", ZEROS, DEFLATED, packed=bomb, size=10)]), PYTHON)
    with bounded(MIB), pytest.raises(PackageError, match="unpacked, the zip is larger"):
        package.check(
            written([module, Entry(b"a", b"", DEFLATED, packed=bomb, size=251 * MIB)]), PYTHON
        )
    with bounded(MIB):
        package.check(written([module, Entry(b"a", ZEROS, DEFLATED, packed=bomb)]), PYTHON)


def test_a_module_that_is_too_large_is_not_unpacked() -> None:
    large = Entry(b"new_module.py", ZEROS, DEFLATED, packed=deflated(ZEROS))
    with bounded(MIB), pytest.raises(PackageError, match=r"new_module\.py is larger than"):
        package.check(written([large]), PYTHON)


def test_a_file_that_is_shorter_than_it_says_is_refused() -> None:
    module = Entry(b"new_module.py", MODULE, DEFLATED)
    short = Entry(b"a", b"x" * 70_000, DEFLATED, size=200_000)
    with pytest.raises(PackageError, match="a is not of the size that the zip says"):
        package.check(written([module, short]), PYTHON)


def test_entries_that_lie_over_one_another_count_each() -> None:
    """As in bombs without recursion: one content, of which ten thousand entries tell."""
    kernel = deflated(bytes(MIB))
    entries = [Entry(b"new_module.py", MODULE, packed=b"", offset=0)]
    for number in range(300):
        name = f"{number:04}".encode()
        entries.append(Entry(name, b"", DEFLATED, packed=b"", size=MIB, crc=0, offset=0))
    entries.append(Entry(b"kernel", bytes(MIB), DEFLATED, packed=kernel))
    with bounded(MIB), pytest.raises(PackageError, match="unpacked, the zip is larger"):
        package.check(written(entries), PYTHON)


def test_a_list_without_end_is_not_read() -> None:
    """Each entry in the list is an object in memory of eight times its size."""
    one = written([Entry(b"", b"", STORED)])
    listed = one[30:-22] * (package._MAX_MARKS + 1)
    many = listed + one[-22:-10] + len(listed).to_bytes(4, "little") + bytes(6)
    with bounded(MIB), pytest.raises(PackageError, match="more than 10000 entries"):
        package.check(many, PYTHON)
