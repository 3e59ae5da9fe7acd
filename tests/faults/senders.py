"""How events come to a function by HTTP: with a key, as a webhook, from a caller who waits."""

import base64
import hashlib
import hmac
import json
import time

import requests

from tests.refusals import refused

_CEILING_SECONDS = 60
"""Longer than the API may take for anything: a call that is not answered by then hangs."""

_PAUSE_SECONDS = 0.2
_WAIT_SECONDS = 5


class RefusedError(Exception):
    """An event was refused, as it may be. It may be sent again after so many seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Sender:
    """Events with an ``Idempotency-Key``. Nothing is before the API, which is never away: what it
    refuses is the store's fault. ``repeats`` says whether an event may be sent again.
    """

    repeats = True

    def __init__(self, url: str, function_id: str) -> None:
        self.function_id = function_id
        self._url = f"{url}/v1/functions/{function_id}"

    def send(self, session: requests.Session, key: str) -> str:
        """Send an event; returns the id of the request that it became, or raises RefusedError.

        Whatever else it raises is not as it should be.
        """
        return self._request_id(self._post(session, key))

    def _post(self, session: requests.Session, key: str) -> requests.Response:
        return session.post(
            self._url,
            json={"payload": key},
            headers={"Idempotency-Key": key},
            timeout=_CEILING_SECONDS,
        )

    def _request_id(self, answer: requests.Response) -> str:
        if answer.status_code == 202:
            return str(answer.json()["request_id"])
        raise self._refusal(answer)

    def _refusal(self, answer: requests.Response) -> RefusedError:
        refused(answer, 503, "store_unavailable")
        return RefusedError(int(answer.headers["Retry-After"]))


class DistantSender(Sender):
    """The same, where anything may be in the way: nginx and the API may be away, too, and a
    connection may break.
    """

    def send(self, session: requests.Session, key: str) -> str:
        """See Sender."""
        try:
            return super().send(session, key)
        except requests.ConnectionError as error:
            raise RefusedError(_PAUSE_SECONDS) from error

    def _refusal(self, answer: requests.Response) -> RefusedError:
        assert answer.status_code in (429, 502, 503, 504), answer.text
        refused(answer, answer.status_code, answer.json()["error"]["reason"])
        return RefusedError(float(answer.headers.get("Retry-After", _PAUSE_SECONDS)))


class Webhook(DistantSender):
    """Signed deliveries with an id each, to the function's public endpoint."""

    def __init__(self, url: str, function_id: str, endpoint: str, secret: str) -> None:
        super().__init__(url, function_id)
        self._url = f"{url}{endpoint}"
        self._key = base64.b64decode(secret.removeprefix("whsec_"))

    def _post(self, session: requests.Session, key: str) -> requests.Response:
        content, now = json.dumps(key), str(int(time.time()))
        digest = hmac.digest(self._key, f"{key}.{now}.{content}".encode(), hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        return session.post(self._url, data=content, headers=headers, timeout=_CEILING_SECONDS)


class Waiting(DistantSender):
    """Callers who wait for the result, without a key: what they do not hear of was not promised,
    and is not sent again.
    """

    repeats = False

    def _post(self, session: requests.Session, key: str) -> requests.Response:
        url = f"{self._url}?wait={_WAIT_SECONDS}"
        return session.post(url, json={"payload": key}, timeout=_CEILING_SECONDS)

    def _request_id(self, answer: requests.Response) -> str:
        if answer.status_code != 200:
            return super()._request_id(answer)
        request_id = answer.headers["X-Pratai-Request-Id"]
        return str(request_id)
