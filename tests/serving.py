"""HTTP servers on this machine, in the place of others'."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Handler(BaseHTTPRequestHandler):
    """Says nothing of what it does."""

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""

    def give(self, content: bytes, kind: str, code: int = 200, **headers: str) -> None:
        """Answer with content of a type; ``_`` in the names of more headers is ``-``."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


class Served:
    """A server on a free port of 127.0.0.1, from now until ``close``; by TLS where told how."""

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Take no more calls."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Page(NamedTuple):
    """What lies at a path."""

    content: bytes
    kind: str


class Site:
    """A server of ``pages``, by path; ``asked`` are the paths that were asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        site = self

        class Pages(Handler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path)
                if page is None:
                    self.give(b"", "text/plain", 404)
                else:
                    self.give(*page)

        self._served = Served(Pages)
        self.url = f"http://127.0.0.1:{self._served.port}"

    def close(self) -> None:
        """Take no more calls."""
        self._served.close()
