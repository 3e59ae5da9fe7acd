"""What the API believes of nginx's headers, and when."""

import uuid
from dataclasses import dataclass

import pytest
from flask import Flask, g

from pratai_api import calls, proxy

ID = "0123456789abcdef" * 2


@dataclass
class Trust:
    """The one part of the services that is looked at."""

    trust_proxy_ids: bool


def names(trust: bool, **headers: str) -> tuple[str, bool]:
    app = Flask("test")
    app.extensions["pratai"] = Trust(trust)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with app.test_request_context(headers=sent):
        g.http_request_id = f"req-{uuid.uuid4()}"
        return calls.cause("http").name, proxy.sent_again()


HEADERS = {"X_Pratai_Proxy_Request_Id": ID, "X_Pratai_Proxy_Attempt": "2"}


def test_a_call_is_named_by_nginx() -> None:
    assert names(True, **HEADERS) == (f"proxy:{ID}", True)
    assert names(True, **{**HEADERS, "X_Pratai_Proxy_Attempt": "1"}) == (f"proxy:{ID}", False)


def test_without_trust_nobody_is_believed() -> None:
    name, again = names(False, **HEADERS)
    assert (name.startswith("call:"), ID in name, again) == (True, False, False)
    assert names(False, **HEADERS)[0] != name


def test_a_key_of_the_caller_s_comes_first() -> None:
    assert names(True, **HEADERS, Idempotency_Key=ID)[0] == f"key:{ID}"


@pytest.mark.parametrize("value", ["", "x", ID.upper(), ID + "0", ID + "\t"])
def test_what_nginx_does_not_send_is_no_name(value: str) -> None:
    name, _ = names(True, X_Pratai_Proxy_Request_Id=value)
    assert name.startswith("call:")
