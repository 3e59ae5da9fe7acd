"""What nginx says of a request that it passes on: which one it is, and whether it is sent again.

Only where ``[api] trust_proxy_ids`` is set: nginx sets these headers anew on each request, and
without it anybody could.
"""

import re

from flask import request

from pratai_api.services import services

REQUEST_ID = "X-Pratai-Proxy-Request-Id"
"""The header with nginx's own id of the request, 32 hexadecimal digits."""
ATTEMPT = "X-Pratai-Proxy-Attempt"
"""The header that says ``2`` where the API process that had the request first has died."""
_ID = re.compile("[0-9a-f]{32}")


def request_id() -> str | None:
    """Return nginx's id of this request, which it has however often it is sent."""
    value = _trusted(REQUEST_ID)
    return value if _ID.fullmatch(value) else None


def sent_again() -> bool:
    """Say whether another API process may have had this request before."""
    return _trusted(ATTEMPT) == "2"


def _trusted(name: str) -> str:
    return request.headers.get(name, "") if services().trust_proxy_ids else ""
