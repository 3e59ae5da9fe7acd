"""Reports each night on the orders of the day before: a timer runs it."""

import csv
import io
import os
import urllib.request
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

MOST_BYTES = 16 * 1024 * 1024


def main(payload=None):
    """Return the totals of the day before the tick was due, whenever it happens to run."""
    day = datetime.fromisoformat(payload["due_at"]).date() - timedelta(days=1)
    totals = totals_of(day, fetched(os.environ["SOURCE"]))
    report = [f"{customer:20} {total:>10}" for customer, total in totals.most_common()]
    print(f"{day}: {len(report)} customers", *report, sep="\n")
    return {"day": str(day), "totals": {name: str(total) for name, total in totals.items()}}


def fetched(address):
    """Return the text at an address; raises OSError, and ValueError where that is too much."""
    with urllib.request.urlopen(address, timeout=20) as answer:
        content = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"{address} has more than {MOST_BYTES} bytes")
    return content.decode()


def totals_of(day, text):
    """Return what each customer has ordered that day, of a CSV with ``date,customer,amount``."""
    totals = Counter()
    for row in csv.DictReader(io.StringIO(text)):
        if row["date"] == str(day):
            totals[row["customer"]] += Decimal(row["amount"])
    return totals
