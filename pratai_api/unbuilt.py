"""Versions that nobody builds: the API process that took them in died before it had recorded their
builds. Whoever looks at them later has that done.
"""

import logging
from contextlib import suppress

from pratai_api.services import services
from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Function, FunctionStatus

LOG = logging.getLogger(__name__)
_MISSING_MS = 60_000
"""A build that is not recorded so long after its version will not be by whoever took that in."""


def submit_missing(function: Function) -> None:
    """Submit the builds of a function's versions that are missing, if the store takes them."""
    with suppress(StoreUnavailableError):
        _submit_missing(function)


def _submit_missing(function: Function) -> None:
    store, since = services().store, services().clock() - _MISSING_MS
    waiting = [
        each
        for each in store.list_versions(function.function_id)
        if each.status is FunctionStatus.BUILDING and each.created_at <= since
    ]
    known = store.get_requests([each.build_request_id for each in waiting]) if waiting else {}
    for version in waiting:
        if version.build_request_id not in known:
            LOG.warning("version %d of %s waits for no build", version.number, version.function_id)
            services().submitter.build(version, function.user_id)
