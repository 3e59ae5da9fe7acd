"""What nodes ask the API for. What they bring along is their authority; nobody else's is needed.

An archive's address is signed and expires. An output comes with the claim of the attempt that it is
of, which only the node that was given the attempt has.
"""

import base64
import binascii
import os
from typing import BinaryIO

from flask import Response, request
from werkzeug.wsgi import wrap_file

from pratai_api import schemas, views
from pratai_api.answers import json_answer
from pratai_api.arguments import body, query
from pratai_api.errors import ApiError
from pratai_api.services import services
from pratai_common import limits
from pratai_common.errors import ArchiveMissingError, DecodeError
from pratai_common.messages import AttemptMessage, MessageDecoder
from pratai_common.node_urls import CLAIM_HEADER

_CHUNK_BYTES = 256 * limits.KIB
_CLAIMS: MessageDecoder[AttemptMessage] = MessageDecoder(AttemptMessage)


def archive(sha256: str) -> Response:
    """Answer an archive, to whoever has its address: as long as that is valid."""
    asked = query(schemas.SignedQuery)
    if not services().urls.genuine(sha256, asked.expires, asked.signature):
        raise ApiError(403, "signature_invalid", "this address was not made here")
    if asked.expires * 1000 <= services().clock():
        raise ApiError(403, "signature_expired", "this address is no longer valid")
    try:
        file = services().archives.open(sha256)
    except ArchiveMissingError as error:
        raise ApiError(404, "archive_not_found", f"there is no archive {sha256}") from error
    return _streamed(file)


def keep() -> Response:
    """Keep an output that no message holds, for the node that ran the attempt which made it."""
    claim = claimed()
    content = body()
    sha256 = services().archives.put(content)
    answer = json_answer(views.Kept(size=len(content), sha256=sha256))
    answer.headers["X-Pratai-Request-Id"] = claim.request_id
    return answer


def claimed() -> AttemptMessage:
    """Return the attempt that an HTTP request is for; raises ApiError where that is not proved."""
    text = request.headers.get(CLAIM_HEADER, "")
    try:
        claim = _CLAIMS.decode([base64.urlsafe_b64decode(text)])
    except (binascii.Error, ValueError, DecodeError) as error:
        raise ApiError(403, "claim_invalid", f"{CLAIM_HEADER} is no claim") from error
    if not services().key.verify(claim):
        raise ApiError(403, "claim_invalid", "this attempt was not given to you")
    if not services().knows_node(claim.node):
        raise unknown_node(claim.node)
    return claim


def unknown_node(name: str) -> ApiError:
    """Return the refusal of a node whose key is not there."""
    return ApiError(403, "claim_invalid", f"the key of node {name} is not known")


def _streamed(file: BinaryIO) -> Response:
    """Answer a file as it is read, so that no archive is whole in memory; closes it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if request.method == "HEAD":  # nobody reads, or closes, what is answered
        file.close()
        answer = Response(mimetype="application/octet-stream")
    else:
        content = wrap_file(request.environ, file, _CHUNK_BYTES)
        answer = Response(content, mimetype="application/octet-stream", direct_passthrough=True)
    answer.content_length = size
    return answer
