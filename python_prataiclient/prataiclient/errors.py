"""One exception for each kind of failure, with the exit code that the command ends with."""


class ClientError(Exception):
    """Base; also whatever has no kind of its own."""

    exit_code = 1


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


class UnsuccessfulError(ClientError):
    """What was waited for ended, but not well."""


class RequestFailedError(UnsuccessfulError):
    """A request ended with a reason: the user's code failed, or it was cancelled."""

    def __init__(self, request_id: str, reason: str, message: str) -> None:
        super().__init__(f"request {request_id} ended badly: {reason}: {message}")
