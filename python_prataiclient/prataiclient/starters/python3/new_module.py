"""A function: main runs once for each event, and gets what the event brought."""

import logging

LOG = logging.getLogger("pratai")


def main(payload=None):
    """Greet whoever the event names. What this returns is the result: anything that is JSON."""
    name = (payload or {}).get("name", "world")
    LOG.info("greeting %s", name)
    return {"greeting": f"Hello, {name}!"}
