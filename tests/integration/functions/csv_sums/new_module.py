"""Sums a column of a CSV text by the values of another."""

import csv
from collections import defaultdict
from decimal import Decimal


def main(payload=None):
    sums = defaultdict(Decimal)
    for row in csv.DictReader(payload["csv"].splitlines()):
        sums[row[payload["by"]]] += Decimal(row[payload["sum"]])
    return {key: str(value) for key, value in sorted(sums.items())}
