"""A first function: greets, and tells the plural of a noun."""

import logging

import inflection
from pratai import context

LOG = logging.getLogger("pratai")


def main(payload=None):
    payload = payload or {}
    print(f"handling request {context.request_id}")
    plural = inflection.pluralize(payload.get("noun", "event"))
    LOG.info("the plural is %s", plural)
    return {"greeting": f"Hello, {payload.get('name', 'world')}!", "plural": plural}
