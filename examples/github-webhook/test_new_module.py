"""Tests of the function; in its folder run: python3 -m unittest"""

import sys
import unittest
from types import SimpleNamespace
from unittest import mock

CONTEXT = SimpleNamespace(event=None)
with mock.patch.dict(sys.modules, pratai=SimpleNamespace(context=CONTEXT)):
    from new_module import main

PUSHED = {
    "ref": "refs/heads/main",
    "pusher": {"name": "ada"},
    "commits": [{"message": "Count faster\n\nBy half."}, {"message": "Say so"}],
}


def delivered(event, payload):
    """Return what main says of a delivery."""
    CONTEXT.event = {"headers": {"x-github-event": event}}
    return main(payload)


class Deliveries(unittest.TestCase):
    """What main returns."""

    def test_a_push(self):
        """The titles of its commits."""
        told = {"told": "ada pushed to main: Count faster; Say so"}
        self.assertEqual(delivered("push", PUSHED), told)

    def test_the_first_delivery(self):
        """GitHub's own words."""
        self.assertEqual(delivered("ping", {"zen": "Mind."}), {"told": "connected: Mind."})

    def test_what_it_does_not_know(self):
        """GitHub has many events; one more is no failure."""
        self.assertEqual(delivered("star", {}), {"ignored": "star"})


if __name__ == "__main__":
    unittest.main()
