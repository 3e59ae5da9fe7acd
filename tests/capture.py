"""What is said on this machine's loopback interface: every byte of some TCP connections.

As root alone, whom the kernel lets see packets (packet(7)).
"""

import select
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Collection
from types import TracebackType

_IPV4 = 0x0800
_TCP = 6
_SYN = 0x02
_SO_RCVBUFFORCE = 33
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_BUFFER_BYTES = 64 << 20
_LARGEST = 1 << 17
_LOOK_SECONDS = 0.1
_SEQUENCE = 1 << 32
_TOO_FAR = 1 << 31


class Capture:
    """Hears, while the block runs, all connections to and from ``ports``, also what was open before
    it. Fails where anything was missed.
    """

    def __init__(self, ports: Collection[int]) -> None:
        self._ports = frozenset(ports)
        self._streams: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
        self._next: dict[tuple[int, int], int] = {}
        self._early: dict[tuple[int, int], dict[int, bytes]] = defaultdict(dict)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="capture", daemon=True)

    def __enter__(self) -> "Capture":
        # Bound to a protocol it gets what arrives, and not once more what leaves.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.bind(("lo", _IPV4))
        self._socket.setblocking(False)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(60)
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._socket.close()
        if error is None:
            assert not self._thread.is_alive()
            _, missed = struct.unpack("=II", statistics)
            gaps = [ends for ends, early in self._early.items() if early]
            assert (missed, gaps) == (0, []), "something was said that was not heard"

    def said(self, port: int) -> bytes:
        """Return what was said so far to and from a port, one connection after the other."""
        with self._lock:
            found = [bytes(said) for ends, said in self._streams.items() if port in ends]
        return b"\n".join(found)

    def _serve(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.is_set()  # what came before that is there by now
            select.select([self._socket], [], [], _LOOK_SECONDS)
            try:
                while True:
                    packet = self._socket.recv(_LARGEST)
                    if packet[9] == _TCP:
                        self._hear(packet[(packet[0] & 15) * 4 :])
            except BlockingIOError:
                pass

    def _hear(self, segment: bytes) -> None:
        source, destination, number = struct.unpack_from("!HHI", segment)
        if not self._ports & {source, destination}:
            return
        content = segment[(segment[12] >> 4) * 4 :]
        ends = (source, destination)
        with self._lock:
            if segment[13] & _SYN:
                self._streams[ends] += b"\n"
                self._next[ends] = (number + 1) % _SEQUENCE
                return
            ahead = (number - self._next.setdefault(ends, number)) % _SEQUENCE
            if ahead > _TOO_FAR or not content:
                return  # said before, or nothing but an acknowledgement
            # Threads of two processors may be heard out of their order.
            early = self._early[ends]
            early[number] = content
            while (content := early.pop(self._next[ends], b"")) != b"":
                self._streams[ends] += content
                self._next[ends] = (self._next[ends] + len(content)) % _SEQUENCE
