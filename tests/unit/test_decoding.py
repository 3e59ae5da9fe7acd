"""Threads that decode into a class for the first time do it one after another."""

import signal
import subprocess
import sys

PROGRAM = """
import sys, threading
import msgspec
from pratai_common.decoding import convert, from_json

sys.setswitchinterval(1e-6)  # threads take turns wherever they can
together = threading.Barrier(4)

def serve():
    for outer, content in KINDS:
        together.wait(60)
        assert DECODE(content, outer).inner[0].number == 7

def kind(number):
    inner = msgspec.defstruct(f"Inner{number}", [("number", int)])
    return msgspec.defstruct(f"Outer{number}", [("inner", list[inner]), ("text", str | None, None)])

KINDS = [(kind(number), CONTENT) for number in range(400)]
threads = [threading.Thread(target=serve) for _ in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print("all are decoded")
"""
TEXT = """b'{"inner": [{"number": 7}]}'"""


def _ends(decode: str, content: str = TEXT) -> "subprocess.CompletedProcess[str]":
    program = PROGRAM.replace("DECODE", decode).replace("CONTENT", content)
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_nothing_ends_the_process() -> None:
    for decode, content in (("from_json", TEXT), ("convert", "{'inner': [{'number': 7}]}")):
        ended = _ends(decode, content)
        assert (ended.returncode, ended.stdout) == (0, "all are decoded\n"), ended.stderr


def test_what_msgspec_does_by_itself_ends_it() -> None:
    """The positive control. Where this fails msgspec has learned it: ``decoding`` may go."""
    direct = "(lambda content, kind: msgspec.json.decode(content, type=kind))"
    assert _ends(direct).returncode == -signal.SIGSEGV
