"""The third step: the invoice, as text."""


def main(payload=None):
    """Return the invoice of a priced order."""
    rows = [f"{line['count']} {line['item']}: {euros(line['cents'])}" for line in payload["lines"]]
    return "\n".join([f"Invoice {payload['order']}", *rows, f"Total: {euros(payload['total'])}"])


def euros(cents):
    """Return cents as people read them."""
    return f"{cents // 100}.{cents % 100:02} EUR"
