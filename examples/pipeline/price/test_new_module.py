"""Tests of the step; in its folder run: python3 -m unittest"""

import unittest

from new_module import main


class Prices(unittest.TestCase):
    """What main returns."""

    def test_each_line_and_the_total(self):
        """In cents."""
        lines = [{"item": "nut", "count": 3}, {"item": "bolt", "count": 1}]
        priced = [{**lines[0], "cents": 15}, {**lines[1], "cents": 12}]
        wanted = {"order": 7, "lines": priced, "total": 27}
        self.assertEqual(main({"order": 7, "lines": lines}), wanted)

    def test_what_is_not_sold(self):
        """It fails, and no invoice is written."""
        with self.assertRaises(KeyError):
            main({"order": 7, "lines": [{"item": "moon", "count": 1}]})


if __name__ == "__main__":
    unittest.main()
