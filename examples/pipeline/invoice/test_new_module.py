"""Tests of the step; in its folder run: python3 -m unittest"""

import unittest

from new_module import main


class Invoices(unittest.TestCase):
    """What main returns."""

    def test_an_invoice(self):
        """A row for each line, and the total."""
        lines = [{"item": "bolt", "count": 100, "cents": 1200}]
        invoice = main({"order": 7, "lines": lines, "total": 1205})
        self.assertEqual(invoice, "Invoice 7\n100 bolt: 12.00 EUR\nTotal: 12.05 EUR")


if __name__ == "__main__":
    unittest.main()
