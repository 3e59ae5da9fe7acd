"""One exception for each kind of failure, with the exit code that the command ends with."""


class ClientError(Exception):
    """Base; also whatever has no kind of its own.

    ``status`` is that of the HTTP answer, ``reason`` the service's word for what went wrong, where
    it was the service that said so.
    """

    exit_code = 1

    def __init__(
        self, message: str, *, status: int | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFoundError(ClientError):
    """What was named is not there."""

    exit_code = 3


class RefusedError(ClientError):
    """The service understood and refused: bad input, not allowed, a conflict, too large, too many.
    Or Keystone refused.
    """

    exit_code = 4


class UnavailableError(ClientError):
    """The service cannot be reached, or failed."""

    exit_code = 5


class WaitTimeoutError(ClientError):
    """What was waited for had not ended when the caller's patience had."""


class UnsuccessfulError(ClientError):
    """What was waited for ended, but not well."""


class RequestFailedError(UnsuccessfulError):
    """A request ended with a ``reason``: the user's code failed, or it was cancelled.

    ``request_id`` is the request's, ``explanation`` what is said of it.
    """

    def __init__(self, request_id: str, reason: str, explanation: str) -> None:
        super().__init__(
            f"request {request_id} ended badly: {reason}: {explanation}", reason=reason
        )
        self.request_id = request_id
        self.explanation = explanation
