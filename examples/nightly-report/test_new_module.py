"""Tests of the function; in its folder run: python3 -m unittest"""

import unittest
from pathlib import Path
from unittest import mock

import new_module

ORDERS = Path(__file__).with_name("orders.csv")
TICK = {"due_at": "2026-03-02T01:30:00.000Z"}


class Reports(unittest.TestCase):
    """What main returns."""

    def setUp(self):
        """Name the orders that lie here."""
        patched = mock.patch.dict("os.environ", SOURCE=ORDERS.as_uri())
        patched.start()
        self.addCleanup(patched.stop)

    def test_it_is_of_the_day_before(self):
        """Sums are exact."""
        totals = {"Lovelace": "20.00", "Hopper": "7.50"}
        self.assertEqual(new_module.main(TICK), {"day": "2026-03-01", "totals": totals})

    def test_a_day_without_orders(self):
        """It has a report, too."""
        report = new_module.main({"due_at": "2026-01-02T01:30:00.000Z"})
        self.assertEqual(report, {"day": "2026-01-01", "totals": {}})

    def test_what_is_too_large_is_refused(self):
        """It would not fit into the function's memory."""
        with mock.patch.object(new_module, "MOST_BYTES", 10), self.assertRaises(ValueError):
            new_module.main(TICK)


if __name__ == "__main__":
    unittest.main()
