"""Client of Pratai: ``Client`` speaks HTTP, ``shell`` and ``commands`` are the command line.

What stands here is what programs may rely on.
"""

from prataiclient.client import Called, Client
from prataiclient.errors import (
    ClientError,
    NotFoundError,
    RefusedError,
    RequestFailedError,
    UnavailableError,
    UnsuccessfulError,
    WaitTimeoutError,
)

__all__ = [
    "Called",
    "Client",
    "ClientError",
    "NotFoundError",
    "RefusedError",
    "RequestFailedError",
    "UnavailableError",
    "UnsuccessfulError",
    "WaitTimeoutError",
]
