"""Tests of the step; in its folder run: python3 -m unittest"""

import unittest

from new_module import main

LINES = [{"item": "nut", "count": 3}]


class Checking(unittest.TestCase):
    """What main lets through."""

    def test_an_order_goes_on(self):
        """Without what the next step has no use for."""
        order = {"order": 7, "lines": LINES}
        self.assertEqual(main({**order, "comment": "soon"}), order)

    def test_what_is_no_order_does_not(self):
        """Nothing of it is priced."""
        for lines in ([], [{"item": "nut", "count": 0}], [{"item": "nut", "count": "3"}]):
            with self.subTest(lines), self.assertRaises(ValueError):
                main({"order": 7, "lines": lines})


if __name__ == "__main__":
    unittest.main()
