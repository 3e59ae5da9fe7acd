"""Tests of the function; in its folder run: python3 -m unittest"""

import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

from new_module import main

NOTIFICATION = {
    "event_type": "compute.instance.create.end",
    "payload": {
        "display_name": "web",
        "instance_type": "m1.small",
        "state": "active",
        "fixed_ips": [{"address": "10.0.0.5"}, {"address": "fd00::5"}],
    },
}
TEXT = "web (m1.small) is active at 10.0.0.5, fd00::5"


class Chat(BaseHTTPRequestHandler):
    """Takes what is told."""

    def do_POST(self):
        """See BaseHTTPRequestHandler."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(json.loads(content))
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *_):
        """Be quiet."""


class Telling(unittest.TestCase):
    """What main does."""

    def setUp(self):
        """Have a chat, and name it to the function."""
        self.chat = HTTPServer(("127.0.0.1", 0), Chat)
        self.chat.told, self.chat.code = [], 200
        thread = threading.Thread(target=self.chat.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(self.chat.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.chat.shutdown)
        named = {"CHAT_URL": f"http://127.0.0.1:{self.chat.server_port}/", "no_proxy": "*"}
        patched = mock.patch.dict("os.environ", named)
        patched.start()
        self.addCleanup(patched.stop)

    def test_the_chat_is_told(self):
        """In its own words."""
        self.assertEqual(main(NOTIFICATION), {"text": TEXT, "told": True})
        self.assertEqual(self.chat.told, [{"text": TEXT}])

    def test_a_chat_that_refuses_fails_the_run(self):
        """So that it is repeated, where the function has retries."""
        self.chat.code = 500
        with self.assertRaises(OSError):
            main(NOTIFICATION)

    def test_without_a_chat_it_is_logged(self):
        """The text is the result, too."""
        with mock.patch.dict("os.environ", CHAT_URL=""):
            self.assertEqual(main(NOTIFICATION), {"text": TEXT, "told": False})
        self.assertEqual(self.chat.told, [])

    def test_a_server_without_an_address(self):
        """Nova may tell of one."""
        server = {**NOTIFICATION["payload"], "fixed_ips": []}
        with mock.patch.dict("os.environ", CHAT_URL=""):
            told = main({**NOTIFICATION, "payload": server})
        self.assertEqual(told["text"], "web (m1.small) is active at no address")


if __name__ == "__main__":
    unittest.main()
