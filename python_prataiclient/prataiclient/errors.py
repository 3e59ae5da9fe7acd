"""One exception for each kind of failure, with the exit code that the command ends with."""


class ClientError(Exception):
    """Base; also whatever has no kind of its own."""

    exit_code = 1


class NotFoundError(ClientError):
    """There is no such function or request."""

    exit_code = 3


class RefusedError(ClientError):
    """The service understood and refused: bad input, a conflict, too large."""

    exit_code = 4


class UnavailableError(ClientError):
    """The service cannot be reached, or failed."""

    exit_code = 5


class UnsuccessfulError(ClientError):
    """What was waited for ended, but not well."""
