"""Secrets leave in no piece of a log, in whichever pieces they are printed."""

import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratai_common import limits
from pratai_common.provisions import Delegated, GivenSecret
from pratai_drivers.conversation import Conversation
from pratai_drivers.engines.null import NullContainer
from pratai_drivers.link import Link
from pratai_drivers.logs import LogCutter
from pratai_drivers.masking import NO_FORMS, NO_MASK, Forms, Mask

SECRET = b'rec0gnizable+/\xc3\xa4 "value"'
TEXT = SECRET.decode()
LONG = bytes(ord("A") + number * number % 57 for number in range(200))
"""Longer than what says that a value is meant."""

PEM = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(LONG) + b"-----END PRIVATE KEY-----\n"


def whole(mask: Mask, pieces: list[bytes]) -> bytes:
    return b"".join([*map(mask.feed, pieces), mask.rest()])


def masked(values: list[bytes], *pieces: bytes) -> bytes:
    return whole(Mask(Forms(values)), list(pieces))


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET),
        base64.urlsafe_b64encode(SECRET),
        quote(SECRET).encode(),
        quote(SECRET, safe="").encode(),
        json.dumps(TEXT)[1:-1].encode(),
        json.dumps(TEXT, ensure_ascii=False)[1:-1].encode(),
        repr(TEXT)[1:-1].encode(),
        repr(SECRET)[2:-1].encode(),
        SECRET.hex().encode(),
        SECRET.hex().upper().encode(),
    ],
)
def test_it_is_hidden_in_the_forms_that_it_is_printed_in(form: bytes) -> None:
    for cut in range(len(form) + 1):
        shown = masked([SECRET], b"before " + form[:cut], form[cut:] + b" after")
        assert shown.startswith(b"before ***")
        assert shown.endswith(b" after")
        assert b"gnizable" not in shown
        assert form[8:16] not in shown


@pytest.mark.parametrize("user", [b"", b"u", b"us", b"use"])
def test_it_is_hidden_in_the_midst_of_what_is_in_base64(user: bytes) -> None:
    """As in the header of HTTP's basic authentication."""
    printed = base64.b64encode(user + b":" + SECRET + b"!")
    shown = masked([SECRET], printed)
    assert b"***" in shown
    assert len(shown) <= 3 + 8 + len(base64.b64encode(user))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \n"])
def test_each_line_of_one_that_has_several_is_hidden(end: bytes) -> None:
    """However lines end, and whatever stands before them, as what reads a file prints it."""
    printed = b"".join(b"> " + line + end for line in PEM.splitlines())
    assert masked([PEM], printed) == (b"> ***" + end) * PEM.count(b"\n")


def test_short_lines_of_one_that_has_several_are_not_looked_for() -> None:
    value = b"user: me\nport: 1\nsecret: s3cret-value\n"
    assert masked([value], b"port: 1, secret: s3cret-value") == b"port: 1, ***"
    assert masked([b"abcdefg\nlong enough"], b"abcdefg, long enough") == b"abcdefg, ***"


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("value", [LONG, LONG + b"\n"])
def test_base64_in_lines_is_hidden(value: bytes, width: int) -> None:
    """Also of a value without the newline that its file ends with."""
    encoded = base64.b64encode(value.strip())
    printed = b"\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    assert re.fullmatch(rb"(\*\*\*=*\n?)+", masked([value], printed))


def test_as_much_of_a_long_one_is_hidden_as_is_printed() -> None:
    assert masked([LONG], LONG[:100] + b"!") == b"***!"
    assert masked([LONG], LONG[:31] + b"!") == LONG[:31] + b"!"  # may be anything
    assert masked([LONG, LONG[:50] + b"other"], LONG[:50] + b"othello") == b"***llo"
    assert masked([LONG, LONG[:50]], LONG[:50] + b".", LONG + b".") == b"***.***."
    for cut in range(len(LONG)):
        assert masked([LONG], b"a" + LONG[:cut], LONG[cut:] + b"b") == b"a***b"


@given(
    st.lists(
        st.text("ab", min_size=6, max_size=12) | st.text("ab", min_size=30, max_size=80),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_no_value_leaves_however_it_is_cut(texts: list[str], data: st.DataObject) -> None:
    values = [each.encode() for each in texts]
    parts = data.draw(st.lists(st.sampled_from([*values, b"a", b"bba", b"\n"]), max_size=12))
    text = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    in_pieces, at_once = masked(values, *pieces), masked(values, text)
    assert in_pieces == at_once
    assert not any(value in part for value in values for part in at_once.split(b"***"))


@given(st.binary(min_size=6, max_size=60), st.data())
def test_whatever_the_value_is(value: bytes, data: st.DataObject) -> None:
    before, after = data.draw(st.binary(max_size=40)), data.draw(st.binary(max_size=40))
    shown = masked([value], before + value + after)
    assert b"***" in shown
    assert not any(value in part for part in shown.split(b"***"))


def test_what_is_no_secret_leaves_at_once() -> None:
    mask = Mask(Forms([b"secret-value"]))
    assert mask.feed(b"Password: ") == b"Password: "
    assert mask.feed(b"the sec") == b"the "
    assert mask.feed(b"ond") == b"second"
    assert mask.feed(b"secret-valu") == b""
    assert mask.rest() == b"***"  # whoever printed it may have been ended amid it
    assert mask.feed(b"secre") == b""
    assert mask.rest() == b"secre"
    assert mask.feed(b"secre") == b""
    assert mask.rest(cut=True) == b"***"
    assert mask.rest(cut=True) == b""


def test_of_two_that_begin_alike_the_longer_one_counts() -> None:
    values = [b"abcdef", b"abcdefghi"]
    assert masked(values, b"abcdef", b"ghi", b"abcdefgh.") == b"******gh."


def test_what_is_short_is_not_looked_for() -> None:
    assert masked([b"abcde"], b"abcde 6162636465") == b"abcde 6162636465"
    assert masked([b"abcdef"], b"abcdef 616263646566") == b"*** ***"
    assert masked([b"\n\n\nabc\n\n\n"], b"abc") == b"abc"


def test_a_message() -> None:
    mask = Mask(Forms([b"s3cret-value", b"gAAAA-token"]))
    assert mask.message("ValueError: s3cret-value, gAAAA-token!") == "ValueError: ***, ***!"
    assert mask.message(None) is None
    assert NO_MASK.message("s3cret-value") == "s3cret-value"


@pytest.mark.parametrize("value", ["s3cret-value", "rec0gnizable-" * 20])
def test_a_message_that_was_cut_amid_a_value(value: str) -> None:
    mask = Mask(Forms([value.encode()]))
    for kept in range(1, len(value) + 1):
        start = "x" * (limits.MAX_FAILURE_CHARACTERS - kept)
        assert mask.message((start + value)[: limits.MAX_FAILURE_CHARACTERS]) == f"{start}***"
    assert mask.message(f"no {value[:4]}") == f"no {value[:4]}"  # it ends there by itself


def test_forms_say_nothing_of_values() -> None:
    forms = Forms([SECRET])
    assert "gniz" not in repr(forms)
    assert "gniz" not in repr(Mask(forms))
    given = GivenSecret(name="db", value=SECRET)
    identity = Delegated(
        auth_url="http://k", token="gAAAA-token", expires_at="", project_id="p", user_id="u"
    )
    assert repr((given, identity)) == (
        "(GivenSecret(name='db'), Delegated(user_id='u', project_id='p'))"
    )


def test_forms_are_joined() -> None:
    one, other = Forms([b"one-value"]), Forms([b"other-value"])
    assert whole(Mask(one.joined(other)), [b"one-value other-value"]) == b"*** ***"
    assert one.joined(NO_FORMS) is one
    assert one.joined(Forms([b"one-value"])) is one
    assert NO_FORMS.joined(one) is one
    assert whole(Mask(one), [b"one-value other-value"]) == b"*** other-value"


def test_values_are_in_no_expression_that_python_keeps() -> None:
    """Its cache of them, which nobody can find in whole or empty for one value."""
    re.purge()
    mask = Mask(Forms([SECRET, LONG, PEM]))
    whole(mask, [b"it is ", SECRET, LONG, PEM])
    mask.message(TEXT)
    assert re._cache == {}  # type: ignore[attr-defined]


# Logs


class Pieces:
    """What leaves of a log."""

    def __init__(self, *values: bytes) -> None:
        self.pieces: list[bytes] = []
        self.logs = LogCutter(lambda _seq, piece: self.pieces.append(piece), Mask(Forms(values)))

    @property
    def shown(self) -> bytes:
        return b"".join(self.pieces)


def test_pieces_of_a_log() -> None:
    seen = Pieces(b"s3cret-value")
    seen.logs.write(b"it is s3cret", 0.0)
    seen.logs.flush_due(10.0)
    assert seen.pieces == [b"it is "]
    seen.logs.write(b"-value\nmore s3cre", 20.0)
    seen.logs.flush()
    assert seen.shown == b"it is ***\nmore s3cre"


@pytest.mark.parametrize(("whole", "shown"), [(True, b"it is s3cr"), (False, b"it is ***")])
def test_a_log_whose_end_was_lost_ends_with_no_part_of_a_value(whole: bool, shown: bytes) -> None:
    seen = Pieces(b"s3cret-value")
    seen.logs.write(b"it is s3cr", 0.0)
    seen.logs.flush(whole=whole)
    assert seen.shown == shown


def test_a_log_that_is_cut_hides_it_all_the_same() -> None:
    seen = Pieces(b"s3cret-value")
    printed = b"s3cret-value " * (limits.LOG_BYTES_PER_RUN // 3)
    for start in range(0, len(printed), 65_536):
        seen.logs.write(printed[start : start + 65_536], 0.0)
    seen.logs.flush()
    assert b"s3cret" not in seen.shown
    assert seen.shown.endswith(limits.LOG_CUT_MARK)
    assert len(seen.shown) == limits.LOG_BYTES_PER_RUN + len(limits.LOG_CUT_MARK)


def test_behind_the_cut_nothing_is_looked_for() -> None:
    fed: list[int] = []

    class Watched(Mask):
        def feed(self, piece: bytes) -> bytes:
            fed.append(len(piece))
            return super().feed(piece)

    logs = LogCutter(lambda _seq, _piece: None, Watched(Forms([b"s3cret-value"])))
    for _ in range(20):
        logs.write(bytes(limits.LOG_BYTES_PER_RUN // 8), 0.0)
    assert len(fed) == 9


def test_what_was_lost_before_the_log_began_ends_with_no_part_of_a_value(tmp_path: Path) -> None:
    """What an import prints is kept as it is, and cut, before it is known whose log it is in."""
    link = Link(tmp_path / "link")
    conversation = Conversation(link, NullContainer(link.folder))
    value = b"s3cret-value"
    printed = value * 1000  # whose marks take less room
    printed += b"x" * (limits.LOG_BYTES_PER_RUN - len(printed) - 4) + value
    seen = Pieces(value)
    try:
        with (link.folder / "output").open("wb", buffering=0) as output:
            for at in range(0, len(printed), 32_768):
                output.write(printed[at : at + 32_768])
                assert conversation.drained()
        conversation.begin_log(seen.logs)
        conversation.end_log()
    finally:
        conversation.close()
    assert seen.shown.endswith(b"x***" + limits.LOG_CUT_MARK)


def test_values_of_the_greatest_size_and_a_log_that_is_full_of_them() -> None:
    values = [os.urandom(limits.MAX_SECRET_BYTES // 2).hex().encode() for _ in range(15)]
    values.append(b"\n".join(b"line %06d" % number for number in range(1190)))
    seen = Pieces(*values)
    printed = b"".join(
        b"%s and %s\n" % (value, base64.b64encode(value).rstrip(b"="))
        for value in values
        for _ in range(2)
    )
    for at in range(0, len(printed), 4096):
        seen.logs.write(printed[at : at + 4096], 0.0)
    seen.logs.flush()
    assert seen.shown == b"*** and ***\n" * 32
