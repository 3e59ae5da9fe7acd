"""The reasons a run can end with, and the exceptions the platform itself raises.

A failure of the user's code is a *result* with a reason from :class:`Reason`. A failure of ours
is an exception from this module. The two are never mixed.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a request did not succeed. An open list: clients must accept names they do not know."""

    EXCEPTION = "exception"
    EXIT_CODE = "exit_code"
    OOM = "oom"
    TIMEOUT = "timeout"
    BAD_RESULT = "bad_result"
    RESULT_TOO_LARGE = "result_too_large"
    IMAGE_BUILD = "image_build"
    EXPIRED = "expired"
    THROTTLED = "throttled"
    INPUT_MISSING = "input_missing"
    NODE_LOST = "node_lost"
    CANCELLED = "cancelled"
    FUNCTION_DELETED = "function_deleted"
    CHAIN_LIMIT = "chain_limit"
    SECRET_UNAVAILABLE = "secret_unavailable"  # noqa: S105 - a reason
    IDENTITY_REVOKED = "identity_revoked"


class PrataiError(Exception):
    """Base of what the platform raises."""


class StoreUnavailableError(PrataiError):
    """The store did not take or give the records; nothing is known to be written."""


class ArchivesUnavailableError(StoreUnavailableError):
    """The archives did not take or give the bytes; nothing is known to be kept."""


class OverloadedError(PrataiError):
    """As many requests wait, or came, as may: those of a project, or of all (``project_id`` is
    ``None``). Nothing was written; the message is meant for whoever asked, who may come back after
    so many seconds.
    """

    def __init__(self, message: str, project_id: str | None, retry_seconds: int = 1) -> None:
        super().__init__(message)
        self.project_id = project_id
        self.retry_seconds = retry_seconds


class NameTakenError(PrataiError):
    """A function, or an event, of that name exists in the project."""


class PackageError(PrataiError):
    """An uploaded zip is refused; the message says why and is meant for its author."""


class ArchiveMissingError(PrataiError):
    """No archive has that sha256."""


class DecodeError(PrataiError):
    """Bytes that are no message of ours, or one that this inlet does not take."""


class EngineError(PrataiError):
    """The container engine failed: not the user's fault, so the attempt is repeated elsewhere."""


class ImageMissingError(EngineError):
    """An image is not on the node, or not any more: it is made again."""


class TransferError(PrataiError):
    """A node could not fetch what a job needs: not the user's fault, so the attempt is repeated."""


class WithheldError(PrataiError):
    """A function does not get what it needs beside its code: a secret, or the right of its owner.
    ``reason`` is the result's, the message is for the function's author.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BuildError(PrataiError):
    """An image could not be built; the message is for the function's author."""
