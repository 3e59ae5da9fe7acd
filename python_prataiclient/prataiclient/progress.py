"""A progress bar for what nobody knows the length of: it moves while the wait goes on."""

import os
import time
from types import TracebackType
from typing import TextIO

_FRAME_SECONDS = 0.1
_ROOM = 16
_BLOCK = "####"
_DEFAULT_COLUMNS = 80


class Progress:
    """One line of a terminal, which is empty again when the block ends.

    Where the stream is no terminal nothing is written. ``text`` is shown behind the bar.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self.shown = stream.isatty()
        self.text = ""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.shown:
            self._draw("")
            self._stream.write("\r")

    def pause(self, seconds: float) -> None:
        """Sleep, and keep the bar moving."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if self.shown:
                self._draw(self._line())
            time.sleep(min(left, _FRAME_SECONDS))

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        return f"[{_bar(int(seconds / _FRAME_SECONDS))}] {seconds:.0f} s  {_plain(self.text)}"

    def _draw(self, line: str) -> None:
        room = self._columns() - 1
        self._stream.write(f"\r{line[:room]:{room}}")
        self._stream.flush()

    def _columns(self) -> int:
        return os.get_terminal_size(self._stream.fileno()).columns or _DEFAULT_COLUMNS


def _bar(frame: int) -> str:
    """Return a bar whose block goes to and fro, a place a frame."""
    last = _ROOM - len(_BLOCK)
    place = last - abs(frame % (2 * last) - last)
    return f"{' ' * place}{_BLOCK}".ljust(_ROOM)


def _plain(text: str) -> str:
    """Return a text without what would move a terminal's cursor, a place wide a character."""
    return "".join(each if " " <= each <= "~" else "?" for each in text)
