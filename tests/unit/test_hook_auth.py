"""Who calls an endpoint: the vectors that the services publish, and what is refused."""

import base64
import hashlib
import hmac

import pytest

from pratai_api.hook_auth import (
    TOLERANCE_SECONDS,
    Delivery,
    RefusedError,
    require_secret,
    verify,
)

GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""From GitHub's documentation, "Validating webhook deliveries"."""

STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
"""From the libraries of Standard Webhooks."""

SIGNED_AT = 1614265330


def checked(
    auth: str, secret: str, headers: dict[str, str], body: bytes = b"", now: float = SIGNED_AT
) -> str | None:
    return verify(auth, secret, Delivery(lambda name: headers.get(name, ""), body, now))


def refusal(
    auth: str, secret: str, headers: dict[str, str], body: bytes = b"", now: float = SIGNED_AT
) -> tuple[str, str]:
    with pytest.raises(RefusedError) as found:
        checked(auth, secret, headers, body, now)
    return found.value.reason, str(found.value)


BAD = ("bad_signature", "the sender did not prove that it knows the secret")
OLD = ("timestamp_out_of_range", "webhook-timestamp is more than 300 seconds from now")


# GitHub


def test_the_vector_of_github() -> None:
    headers = {"X-Hub-Signature-256": GITHUB_SIGNATURE}
    assert checked("github", GITHUB_SECRET, headers, b"Hello, World!") is None
    headers["X-GitHub-Delivery"] = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    named = checked("github", GITHUB_SECRET, headers, b"Hello, World!")
    assert named == "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": GITHUB_SIGNATURE.removeprefix("sha256=")},
        {"X-Hub-Signature-256": GITHUB_SIGNATURE[:-1] + "8"},
        {"X-Hub-Signature-256": GITHUB_SIGNATURE + "0"},
        {"X-Hub-Signature-256": "sha256=\xff\u20ac"},
        {"X-Hub-Signature": GITHUB_SIGNATURE},
    ],
)
def test_what_github_did_not_sign(headers: dict[str, str]) -> None:
    assert refusal("github", GITHUB_SECRET, headers, b"Hello, World!") == BAD


def test_another_body_or_secret_than_github_signed() -> None:
    headers = {"X-Hub-Signature-256": GITHUB_SIGNATURE}
    assert refusal("github", GITHUB_SECRET, headers, b"Hello, World") == BAD
    assert refusal("github", GITHUB_SECRET + "!", headers, b"Hello, World!") == BAD


# A token in a header


@pytest.mark.parametrize("name", ["X-Gitlab-Token", "X-Pratai-Token"])
def test_a_token_in_a_header(name: str) -> None:
    assert checked("token", "correct horse", {name: "correct horse"}, b"any") is None
    for wrong in ("", "correct hors", "correct horse ", "Correct horse", "\xff"):
        assert refusal("token", "correct horse", {name: wrong}, b"any") == BAD


def test_a_token_is_looked_for_in_its_headers_alone() -> None:
    assert refusal("token", "correct horse", {}) == BAD
    assert refusal("token", "correct horse", {"Authorization": "correct horse"}) == BAD


# Standard Webhooks


def test_the_vector_of_standard_webhooks() -> None:
    name = checked("standard", STANDARD_SECRET, STANDARD, STANDARD_BODY)
    assert name == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJel"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,\u20ac"},
        {"webhook-signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"},
    ],
)
def test_what_nobody_signed_by_the_standard(changed: dict[str, str]) -> None:
    assert refusal("standard", STANDARD_SECRET, STANDARD | changed, STANDARD_BODY) == BAD


def test_one_of_several_signatures_is_enough() -> None:
    """While a sender changes its secret it signs by both."""
    good = STANDARD["webhook-signature"]
    for given in (f"v1,AAAA {good}", f"{good} v1,AAAA", f"v1a,AAAA {good} v2,x"):
        headers = STANDARD | {"webhook-signature": given}
        assert checked("standard", STANDARD_SECRET, headers, STANDARD_BODY) is not None


def test_the_time_of_a_delivery_is_near_ours() -> None:
    for now in (SIGNED_AT - TOLERANCE_SECONDS, SIGNED_AT + TOLERANCE_SECONDS):
        assert checked("standard", STANDARD_SECRET, STANDARD, STANDARD_BODY, now) is not None
    for now in (SIGNED_AT - TOLERANCE_SECONDS - 1, SIGNED_AT + TOLERANCE_SECONDS + 0.5):
        assert refusal("standard", STANDARD_SECRET, STANDARD, STANDARD_BODY, now) == OLD


def test_a_stranger_does_not_learn_our_time() -> None:
    headers = STANDARD | {"webhook-signature": "v1,AAAA"}
    assert refusal("standard", STANDARD_SECRET, headers, STANDARD_BODY, 0) == BAD


@pytest.mark.parametrize("time", ["", "now", "-5", "1614265330.5", "\u0661", "1" * 5000])
def test_a_time_that_is_none_though_it_was_signed(time: str) -> None:
    key = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))
    signed = b"m." + time.encode("latin-1", "replace") + b"."
    digest = hmac.digest(key, signed, hashlib.sha256)
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": time,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    assert refusal("standard", STANDARD_SECRET, headers) == BAD


def test_the_vector_of_svix() -> None:
    """From its documentation: "How to verify webhooks manually"."""
    headers = {
        "webhook-id": "msg_loFOjxBNrRLzqYUf",
        "webhook-timestamp": "1731705121",
        "webhook-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    }
    body = b'{"event_type":"ping","data":{"success":true}}'
    secret = "whsec_plJ3nmyCDGBKInavdOK15jsl"
    assert checked("standard", secret, headers, body, 1731705121) == "msg_loFOjxBNrRLzqYUf"
    assert refusal("standard", secret, headers, body + b" ", 1731705121) == BAD


# Secrets


def test_which_secrets_there_are() -> None:
    require_secret("token", "anything")
    require_secret("github", "anything")
    require_secret("standard", STANDARD_SECRET)
    for length in (16, 64):
        require_secret("standard", "whsec_" + base64.b64encode(bytes(length)).decode())
    for wrong in (
        "anything",
        STANDARD_SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_*" + STANDARD_SECRET[7:],
        "whsec_" + base64.b64encode(bytes(15)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ):
        with pytest.raises(ValueError, match=r"^it is no whsec_ with 16 to 64 bytes in base64$"):
            require_secret("standard", wrong)
