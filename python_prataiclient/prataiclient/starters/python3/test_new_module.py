"""Tests of the function; in its folder run: python3 -m unittest"""

import unittest

from new_module import main


class Greeting(unittest.TestCase):
    """What main returns."""

    def test_it_greets_who_is_named(self):
        """The payload is what the event brought."""
        self.assertEqual(main({"name": "Ada"}), {"greeting": "Hello, Ada!"})

    def test_it_greets_the_world_where_nobody_is_named(self):
        """An event may bring nothing."""
        self.assertEqual(main(), {"greeting": "Hello, world!"})


if __name__ == "__main__":
    unittest.main()
