"""The first step: an order is looked at, and goes on if it is one."""


def main(payload=None):
    """Return the order; what is none raises ValueError, and no further step runs."""
    lines = payload["lines"]
    if not lines:
        raise ValueError("an order has lines")
    for line in lines:
        if not (isinstance(line["count"], int) and line["count"] > 0):
            raise ValueError(f"{line['item']}: {line['count']} is no number of things")
    return {"order": payload["order"], "lines": lines}
