"""What a function returned, as the HTTP answer to a caller who waits.

All functions share the origin of the API. So that none speaks for another or for the platform to a
browser, what they answer is a document of an origin of its own, without scripts, and its type is
the one it says. ``X-Pratai-Answered-By`` tells it from what the platform itself answers.
"""

from flask import Response

from pratai_common import response_heads
from pratai_common.records import ResponseHead

_PLAIN = ResponseHead()
_OURS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox"),
    ("X-Pratai-Answered-By", "function"),
)


def answer(head: ResponseHead | None, result: bytes) -> Response:
    """Return the answer that a result, which is JSON text, stands for; raises BadResponseError."""
    rendered = response_heads.render(head or _PLAIN, result)
    headers = [*rendered.headers.items(), *_OURS]
    return Response(rendered.body, rendered.status, headers=headers)
