"""What the API gives to nodes and takes from them: only with what proves that it may."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pratai_common import limits
from pratai_common.errors import ArchiveMissingError
from pratai_common.messages import AttemptMessage, Bye, encode
from pratai_common.node_urls import NodeUrls
from pratai_common.tokens import TokenKey
from tests.node_api import NodeApi
from tests.refusals import refused

CONTENT = bytes(range(256))
CLAIM: dict[str, Any] = {
    "request_id": "r",
    "attempt": 1,
    "node": "n",
    "epoch": 2,
    "project_id": "p",
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[NodeApi]:
    made = NodeApi(tmp_path)
    yield made
    made.close()


def ask(method: str, url: str, **arguments: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=60, **arguments)


def require_invalid(answer: requests.Response) -> None:
    assert refused(answer, 403, "signature_invalid") == "this address was not made here"


def require_expired(answer: requests.Response) -> None:
    assert refused(answer, 403, "signature_expired") == "this address is no longer valid"


def test_an_archive_by_its_address(api: NodeApi) -> None:
    answer = ask("GET", api.address(api.archives.put(CONTENT)))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    head = ask("HEAD", api.address(api.archives.put(CONTENT)))
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(CONTENT)))


def test_another_address(api: NodeApi) -> None:
    url = api.address(api.archives.put(CONTENT))
    start, _, query = url.partition("?")
    expires = query.partition("&")[0]
    for signature in ("0" * 64, "x", "é", query[-64:-1], query[-64:].upper() + "0"):
        require_invalid(ask("GET", f"{start}?{expires}&signature={signature}"))
    require_invalid(ask("GET", url.replace("expires=", "expires=1")))
    require_invalid(ask("GET", url.replace(start[-64:], "0" * 64)))
    strange = NodeUrls(api.url, TokenKey(b"another")).archive(start[-64:], 2**40)
    require_invalid(ask("GET", strange.replace("1099511627776", "2000000000")))
    assert ask("GET", url).status_code == 200


def test_an_address_whose_time_is_over(api: NodeApi) -> None:
    name = api.archives.put(CONTENT)
    require_expired(ask("GET", api.address(name, seconds=0)))
    # It is not said whether something is there.
    require_expired(ask("GET", api.address("0" * 64, seconds=-1)))
    assert ask("GET", api.address(name)).status_code == 200


def test_the_address_of_what_is_not_there(api: NodeApi) -> None:
    name = "0" * 64
    answer = ask("GET", api.address(name))
    assert refused(answer, 404, "archive_not_found") == f"there is no archive {name}"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Object missing required field `expires`"),
        ("?expires=1", "Object missing required field `signature`"),
        ("?expires=x&signature=y", "Expected `int`, got `str` - at `$.expires`"),
        ("?expires=-1&signature=y", "Expected `int` >= 0 - at `$.expires`"),
        ("?expires=1&expires=2&signature=y", "the query has expires more than once"),
    ],
)
def test_what_is_no_address(api: NodeApi, query: str, message: str) -> None:
    url = f"{api.url}/v1/node/archives/{'0' * 64}{query}"
    assert refused(ask("GET", url), 400, "invalid") == message


def claim(api: NodeApi, **values: Any) -> str:
    return claim_of(api.key, **values)


def claim_of(key: TokenKey, **values: Any) -> str:
    """Return the claim of an attempt, with some of its fields replaced after the token was made."""
    token = key.mint(**CLAIM)
    message = AttemptMessage(**{**CLAIM, "token": token, **values})
    return base64.urlsafe_b64encode(encode(message)).decode()


def bring(api: NodeApi, content: bytes, header: str | None) -> requests.Response:
    headers = {} if header is None else {"X-Pratai-Claim": header}
    return ask("POST", f"{api.url}/v1/node/results", data=content, headers=headers)


@pytest.mark.parametrize("content", [b"7", b" " * limits.MAX_BODY_BYTES])
def test_an_output_is_kept(api: NodeApi, content: bytes) -> None:
    name = hashlib.sha256(content).hexdigest()
    for _ in range(2):
        answer = bring(api, content, claim(api))
        assert (answer.status_code, answer.json()) == (200, {"size": len(content), "sha256": name})
        assert answer.headers["X-Pratai-Request-Id"] == "r"
    assert api.archives.get(name) == content


@pytest.mark.parametrize(
    "values",
    [
        {"request_id": "other"},
        {"attempt": 2},
        {"node": "other"},
        {"epoch": 3},
        {"project_id": "other"},
        {"token": b"0" * 16},
        {"token": b""},
    ],
)
def test_another_attempts_output(api: NodeApi, values: dict[str, Any]) -> None:
    answer = bring(api, b"7", claim(api, **values))
    assert refused(answer, 403, "claim_invalid") == "this attempt was not given to you"
    assert bring(api, b"7", claim(api)).status_code == 200


def test_what_a_node_brings_whose_key_was_taken_away(api: NodeApi) -> None:
    """Its claims have no end; its key has."""
    api.revoked.add("other")
    assert bring(api, b"7", claim(api)).status_code == 200
    api.revoked.add(CLAIM["node"])
    answer = bring(api, b"8", claim(api))
    why = f"the key of node {CLAIM['node']} is not known"
    assert refused(answer, 403, "claim_invalid") == why
    with pytest.raises(ArchiveMissingError):
        api.archives.get(hashlib.sha256(b"8").hexdigest())
    api.revoked.clear()
    assert bring(api, b"8", claim(api)).status_code == 200


def test_what_is_no_claim(api: NodeApi) -> None:
    other = base64.urlsafe_b64encode(encode(Bye(node="n", instance="i"))).decode()
    for header in (None, "", "x", "!!!!", "AAAA", other, claim(api)[:-8]):
        answer = bring(api, b"7", header)
        assert refused(answer, 403, "claim_invalid") == "X-Pratai-Claim is no claim"
    assert bring(api, b"7", claim(api)).status_code == 200


def test_keys_for_other_purposes_say_nothing_of_each_other() -> None:
    key = TokenKey(b"key")
    assert key.derive("archive") == TokenKey(b"key").derive("archive")
    derived = {key.derive("archive"), key.derive("archives"), TokenKey(b"yek").derive("archive")}
    assert len(derived) == 3
    assert {len(each) for each in derived} == {32}
    claim = {**CLAIM, "project_id": "archive"}
    assert key.mint(**claim) not in {each[:16] for each in derived}


def test_archives_that_take_nothing(api: NodeApi, tmp_path: Path) -> None:
    folder = tmp_path / "api-archives"
    folder.write_bytes(b"a file where the folder should be")
    message = "the store does not answer; it is not known whether anything was recorded"
    answer = bring(api, b"7", claim(api))
    assert refused(answer, 503, "store_unavailable") == message
    assert answer.headers["Retry-After"] == "1"
    folder.unlink()
    assert bring(api, b"7", claim(api)).status_code == 200
