"""Tells apart what the import made and what events did."""

import os
import uuid

from pratai import context

IMPORTED = uuid.uuid4().hex
events: list[object] = []


def main(payload: object = None) -> dict[str, object]:
    events.append(payload)
    return {
        "imported": IMPORTED,
        "events": len(events),
        "payload": payload,
        "request_id": context.request_id,
        "remaining": context.remaining,
        "process": os.getpid(),
    }
