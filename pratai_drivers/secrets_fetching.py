"""Asks the API for what a run's function is given beside its code: sealed to this node."""

import base64
from typing import NamedTuple

import msgspec

from pratai_common import provisions
from pratai_common.decoding import from_json
from pratai_common.envelopes import EnvelopeError, Opener
from pratai_common.errors import DecodeError, Reason, TransferError, WithheldError
from pratai_common.messages import Job
from pratai_common.node_urls import CLAIM_HEADER, KEY_HEADER
from pratai_common.provisions import Provisions
from pratai_drivers.claims import claim_of
from pratai_drivers.engines.base import GivenUp
from pratai_drivers.transfers import Transfers

_WITHHELD = frozenset({Reason.SECRET_UNAVAILABLE, Reason.IDENTITY_REVOKED})


class RefusedError(TransferError):
    """The API refuses one attempt, which says nothing of others."""


class _Error(msgspec.Struct):
    reason: str
    message: str


class _Failure(msgspec.Struct):
    """What the API refuses with."""

    error: _Error


class SecretsFetching(NamedTuple):
    """See the module. ``opener`` has the node's key."""

    transfers: Transfers
    opener: Opener

    def fetch(self, job: Job, given_up: GivenUp) -> Provisions:
        """Return what a job's function is given.

        Raises WithheldError where it gets nothing, and TransferError where that is this node's
        trouble, or the API's.
        """
        claim = claim_of(job)
        key = base64.b64encode(self.opener.public).decode()
        headers = {CLAIM_HEADER: claim, KEY_HEADER: key}
        answer = self.transfers.ask(job.secrets_url or "", headers, given_up)
        if answer.status != 200:
            raise _refusal(answer.status, answer.content)
        try:
            return provisions.decode(self.opener.open(answer.content, claim.encode()))
        except (EnvelopeError, DecodeError) as error:
            raise TransferError(f"the secrets cannot be opened: {error}") from error


def _refusal(status: int, content: bytes) -> WithheldError | TransferError:
    try:
        error = from_json(content, _Failure).error
    except msgspec.DecodeError:
        return TransferError(f"the secrets could not be fetched: answered with {status}")
    if error.reason in _WITHHELD:
        return WithheldError(Reason(error.reason), error.message)
    refusal = RefusedError if status == 403 else TransferError
    return refusal(f"the secrets could not be fetched: {error.message}")
