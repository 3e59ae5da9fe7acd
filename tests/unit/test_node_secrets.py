"""What a node gets for a run beside the code: by the API's real routes, sealed, for a time."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pratai_common import provisions
from pratai_common.envelopes import Opener
from pratai_common.errors import Reason, TransferError, WithheldError
from pratai_common.node_urls import NodeUrls
from pratai_common.provisions import GivenSecret, Provisions
from pratai_common.records import Attempt, Status, Trust
from pratai_common.store.base import Changed, NewRequest, RequestChange
from pratai_common.tokens import TokenKey
from pratai_drivers.claims import claim_of
from tests.refusals import refused
from tests.unit.secrets_world import MINE, World, function, never, request


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.api.close()


def test_a_node_is_given_what_the_function_needs(world: World) -> None:
    given = world.fetch(world.job(), never)
    assert given == Provisions(
        secrets=(
            GivenSecret(name="db", value=b"rec0gnizable", file="db"),
            GivenSecret(name="key", value=b"s3cret", environment="KEY"),
        )
    )


def test_nobody_on_the_way_reads_it(world: World) -> None:
    answer = world.ask(world.job())
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"rec0gnizable" not in answer.content
    assert base64.b64encode(b"rec0gnizable") not in answer.content
    opened = world.opener.open(answer.content, claim_of(world.job()).encode())
    assert b"rec0gnizable" in opened  # the search finds what is there
    assert provisions.decode(opened).secrets[0].value == b"rec0gnizable"


def test_a_node_with_a_key_is_not_asked_for_another(world: World) -> None:
    """Whoever has seen a claim, and sends a key of their own, can open nothing."""
    own = Opener.ephemeral()
    world.api.node_keys["n"] = own.public
    answer = world.ask(world.job())
    claim = claim_of(world.job()).encode()
    with pytest.raises(TransferError, match="cannot be opened"):
        world.fetch(world.job(), never)
    assert b"rec0gnizable" in own.open(answer.content, claim)


def test_an_attempt_that_was_not_given_to_the_node(world: World) -> None:
    for values in ({"attempt": 2}, {"node": "other"}, {"project_id": "q"}, {"token": b""}):
        answer = world.ask(world.job(**values))
        assert refused(answer, 403, "claim_invalid") == "this attempt was not given to you"
    world.api.revoked.add("n")
    assert refused(world.ask(world.job()), 403, "claim_invalid").endswith("n is not known")
    world.api.revoked.clear()
    assert world.ask(world.job()).status_code == 200


def test_the_address_of_another_function_or_request(world: World) -> None:
    world.api.store.create_function(function(function_id="g", name="g"))
    job = world.job()
    url = job.secrets_url or ""
    strange = NodeUrls(world.api.url, TokenKey(b"another")).secrets("f", "r", 2**33)
    for other in (
        url.replace("function_id=f", "function_id=g"),
        world.job("other").secrets_url,
        strange,
    ):
        answer = world.ask(replace(job, secrets_url=other))
        assert refused(answer, 403, "signature_invalid") == "this address was not made here"
    expired = world.ask(world.job(seconds=0))
    assert refused(expired, 403, "signature_expired") == "this address is no longer valid"
    assert world.ask(job).status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        {"status": Status.SUCCESS},
        {"attempts": (Attempt(number=2, node="m", epoch=1, started_at=1),)},
    ],
    ids=["ended", "later"],
)
def test_an_attempt_that_is_over(world: World, values: dict[str, Any]) -> None:
    job = world.job()
    world.api.store.create_requests([NewRequest(request(), None)])
    assert world.ask(job).status_code == 200
    world.api.store.change_requests(
        [RequestChange("r", lambda old: Changed(replace(old, **values)))]
    )
    answer = world.ask(job)
    message = "this attempt is not the current one any more"
    assert refused(answer, 403, "attempt_over") == message


def test_a_secret_that_is_deleted(world: World) -> None:
    world.api.secrets.delete(MINE, "db")
    with pytest.raises(WithheldError, match="the project has no secret db") as raised:
        world.fetch(world.job(), never)
    assert raised.value.reason is Reason.SECRET_UNAVAILABLE


def test_a_secret_that_no_variable_can_have(world: World) -> None:
    for value in (b"\xff", b"a\0b"):
        world.api.secrets.put(MINE, "key", value)
        with pytest.raises(WithheldError, match="the secret key is no text") as raised:
            world.fetch(world.job(), never)
        assert raised.value.reason is Reason.SECRET_UNAVAILABLE
    world.api.secrets.put(MINE, "key", b"text")
    assert world.fetch(world.job(), never).secrets[1].value == b"text"


def test_a_right_that_nobody_can_use_any_more(world: World) -> None:
    """The installation was told to ask no Keystone any more."""
    world.change(trust=Trust(trust_id="t", user_id="u", roles=("member",)))
    with pytest.raises(WithheldError) as raised:
        world.fetch(world.job(), never)
    assert raised.value.reason is Reason.IDENTITY_REVOKED


def test_a_function_that_is_deleted(world: World) -> None:
    world.change(deleted_at=1)
    with pytest.raises(WithheldError, match="the function is deleted"):
        world.fetch(world.job(), never)


def test_secrets_that_cannot_be_read_now(world: World, tmp_path: Path) -> None:
    path = tmp_path / "api-secrets" / "values.json"
    content = path.read_bytes()
    path.write_bytes(b"damaged")
    answer = world.ask(world.job())
    assert refused(answer, 503, "secret_unavailable").startswith("the secrets cannot be read")
    assert answer.headers["Retry-After"] == "1"
    with pytest.raises(WithheldError) as raised:
        world.fetch(world.job(), never)
    assert raised.value.reason is Reason.SECRET_UNAVAILABLE
    path.write_bytes(content)
    assert world.fetch(world.job(), never).secrets


def test_an_api_that_is_away(world: World) -> None:
    job = world.job()
    world.api.stop()
    with pytest.raises(TransferError, match="the API does not answer"):
        world.fetch(job, never)
    world.api.start()
    assert world.fetch(job, never).secrets


@pytest.mark.parametrize("key", ["", "x", "AAAA", base64.b64encode(bytes(32)).decode()])
def test_what_is_no_key(world: World, key: str) -> None:
    answer = world.ask(world.job(), **{"X-Pratai-Key": key})
    assert refused(answer, 400, "invalid") == "X-Pratai-Key is no public key"


def test_a_key_that_is_taken_away_meanwhile(world: World) -> None:
    """Whoever sends a key of their own in its place is given nothing."""
    world.api.curve = True
    assert refused(world.ask(world.job()), 403, "claim_invalid").endswith("n is not known")
    world.api.node_keys["n"] = world.opener.public
    assert world.fetch(world.job(), never).secrets


def test_no_more_nodes_wait_than_may(world: World) -> None:
    """It is as if nobody answered: others wait for that already."""
    with ExitStack() as places:
        for _ in range(8):
            places.enter_context(world.api.secret_waits.place())
        answer = world.ask(world.job())
        message = refused(answer, 503, "secret_unavailable")
        assert message == "too many callers wait for secrets here already"
        assert answer.headers["Retry-After"] == "1"
    assert world.ask(world.job()).status_code == 200
