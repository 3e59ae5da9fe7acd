"""What a function may import from Pratai: ``from pratai import context, Response, secret``."""

from __future__ import annotations

import importlib
import os
import time
from binascii import a2b_base64
from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

SECRETS = "/run/secrets"


class Response:
    """What ``main`` returns to answer other than with JSON and 200.

    Text is answered as ``text/plain`` in UTF-8 and bytes as ``application/octet-stream``, unless
    ``headers`` say otherwise; any other body as JSON. ``status`` is 200 to 599.
    """

    def __init__(
        self, body: object = "", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers


class Context:
    """What is known of the event that is being handled.

    ``request_id`` and ``attempt`` name this run, ``function`` and ``version`` the code,
    ``source`` says what kind of event it was. ``identity`` is what the function acts with for its
    owner, ``None`` if it does not: ``auth_url``, ``token``, ``expires_at``, ``project_id`` and
    ``user_id``. ``traceparent`` and ``tracestate`` are W3C Trace Context: what a function passes on
    with its own HTTP requests is in the trace of whoever caused this run.
    """

    def __init__(self) -> None:
        self._values: Mapping[str, Any] = MappingProxyType({})
        self._deadline: float | None = None

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the context has no {name}") from None

    @property
    def remaining(self) -> float | None:
        """The seconds that are left before the run's timeout."""
        return max(0.0, self._deadline - time.monotonic()) if self._deadline else None

    def _begin(self, values: dict[str, object], seconds: float) -> None:
        self._values = MappingProxyType(values)
        self._deadline = time.monotonic() + seconds


class _Secrets:
    """What the node has given, in this memory and as files that the function reads."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._files: dict[str, bytes] = {}

    def take(self, given: Sequence[Mapping[str, str]]) -> None:
        """Let the function find them."""
        for each in given:
            value = a2b_base64(each["value"])
            self._values[each["name"]] = value
            if each["file"]:
                self._files[each["file"]] = value
            if each["environment"]:
                os.environb[each["environment"].encode()] = value
        self.write()

    def write(self) -> None:
        """Write the files, of which there are none; nobody but this user reads them."""
        for name, value in self._files.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            descriptor = os.open(f"{SECRETS}/{name}", flags, 0o400)
            try:
                os.write(descriptor, value)
            finally:
                os.close(descriptor)

    def value(self, name: str) -> bytes:
        """Return one of them; raises LookupError."""
        if name not in self._values:
            raise LookupError(f"the function names no secret {name}")
        return self._values[name]


context = Context()
_secrets = _Secrets()


def secret(name: str) -> str:
    """Return the text of a secret that the function names; raises LookupError for any other. One
    that is no text in UTF-8 is to be read from its file.
    """
    return _secrets.value(name).decode()


def openstack_session() -> Any:
    """Return a session of keystoneauth1, which is to be among the function's requirements, that
    acts for the function's owner while this event is handled; raises LookupError where there is
    nobody it may act for, which is so, too, while the function is imported.
    """
    identity = getattr(context, "identity", None)
    if identity is None:
        raise LookupError("the function acts for nobody: it was given no trust, or no event yet")
    # What it imports is the function's own, if it has it.
    return importlib.import_module("pratai_openstack").session_of(identity)
