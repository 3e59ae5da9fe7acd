"""A way to a server that can be closed and opened, as the network between two machines."""

import socket
import threading
from contextlib import suppress


class Forwarder:
    """Takes connections at ``port`` and passes everything on to a server of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = self._listen(0)
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def close(self) -> None:
        """Refuse connections from now on, and break those that there are."""
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listening.close()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Take connections again."""
        self._listening = self._listen(self.port)

    def passed_on(self, received: bytes) -> bytes:
        """Return what is passed on of what came; nothing ends the connection."""
        return received

    def _listen(self, port: int) -> socket.socket:
        listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()
        return listening

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listening.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self._target))
                except OSError:  # the server is away
                    here.close()
                    continue
                with self._lock:
                    self._open |= {here, there}
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while received := self.passed_on(source.recv(1 << 16)):
                sink.sendall(received)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            if source in self._open:
                self._open -= {source, sink}
                return
        source.close()
        sink.close()
