"""Tells what it knows of its event."""

import uuid

from pratai import context


def main(payload=None):
    return {
        "has_request_id": str(uuid.UUID(context.request_id)) == context.request_id,
        "attempt": context.attempt,
        "function": context.function.rsplit("-", 1)[0],
        "version": context.version,
        "project_id": context.project_id,
        "source": context.source,
        "type": context.event["type"],
        "of_this_function": context.event["source"] == f"/v1/functions/{context.function_id}",
        "has_time": 0 < context.remaining <= 20,
        "has_other": hasattr(context, payload),
    }
