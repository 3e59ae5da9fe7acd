"""What a container sees of its node: a folder with a socket and a pipe."""

import os
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path


class Link:
    """The folder that a container sees as /run/pratai: a listening socket and a pipe.

    Raises OSError where it cannot be made, and then leaves nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, mode=0o755)
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            self._fill(folder, undo)
            undo.pop_all()

    def _fill(self, folder: Path, undo: ExitStack) -> None:
        folder.chmod(0o755)
        os.mkfifo(folder / "output")
        (folder / "output").chmod(0o622)
        # Also for writing: a pipe whose writers are all gone would be readable for ever.
        self.output = os.open(folder / "output", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        undo.callback(os.close, self.output)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        undo.callback(self.listener.close)
        # Through /proc, because a socket's path may be no longer than 107 bytes.
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self.listener.bind(f"/proc/self/fd/{descriptor}/node.sock")
        finally:
            os.close(descriptor)
        (folder / "node.sock").chmod(0o622)
        self.listener.listen(1)

    def close(self) -> None:
        """Remove the folder and what is in it."""
        os.close(self.output)
        self.listener.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
