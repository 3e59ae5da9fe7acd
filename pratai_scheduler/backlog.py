"""What of the backlog, which the store holds, is read into the window."""

from pratai_common.records import Request
from pratai_common.store.base import Store
from pratai_scheduler.window import Window

_MORE = 1000
"""How far behind what is held already a sweep looks at least."""


def due(store: Store, window: Window, size: int, now: int) -> list[Request]:
    """Return what is longest due, ``size`` at most, and, where that is not all, something of
    functions and of projects of which nothing is held yet: they may be behind all of it.
    """
    most = min(size, max(window.room, len(window) + _MORE))
    found = store.due_requests(now, most)
    if len(found) == most:
        held = {*window.function_ids, *(request.function_id for request in found)}
        others = store.due_requests(now, _MORE, held)
        found += others
        if len(others) == _MORE:
            known = {*window.project_ids, *(request.project_id for request in found)}
            found += store.due_requests(now, _MORE, besides_projects=known)
    return found
