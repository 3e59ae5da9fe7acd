"""The addresses in jobs, by which nodes get archives: signed, and valid for a time."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pratai_common import limits
from pratai_common.errors import ArchivesUnavailableError
from pratai_common.messages import Build, Job
from pratai_common.node_urls import NodeUrls
from pratai_common.records import Body, SecretUse, Status, Trust
from pratai_common.store.base import NewRequest
from tests.archives import NODE_URLS
from tests.unit.world import World

VALID_SECONDS = 3600


def expiry(url: str, sha256: str) -> int:
    """Return until when an address is valid, which must be a genuine one of this archive."""
    parts = urlsplit(url)
    assert parts.path == f"/v1/node/archives/{sha256}"
    query = {name: value for name, (value,) in parse_qs(parts.query).items()}
    expires = int(query["expires"])
    assert NODE_URLS.genuine(sha256, expires, query["signature"])
    assert not NODE_URLS.genuine(sha256, expires + 1, query["signature"])
    assert not NODE_URLS.genuine("0" * 64, expires, query["signature"])
    return expires


def test_a_job_says_where_its_code_is(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    job: Job = world.to_nodes[0]
    assert expiry(job.package.archive_url, "s") == world.now // 1000 + VALID_SECONDS
    assert (job.input.content, job.input_url) == (b"1", None)


def test_a_build_says_where_its_code_is(world: World) -> None:
    world.function()
    world.request("b", kind="build", version=1)
    world.pass_time(1000)
    job: Build = world.to_nodes[0]
    assert expiry(job.package.archive_url, "s") == world.now // 1000 + VALID_SECONDS


def test_a_job_says_where_a_large_input_is(world: World) -> None:
    world.function()
    body = world.archives.keep(b"x" * (limits.INLINE_BODY_BYTES + 1))
    assert body == Body(sha256=body.sha256, size=limits.INLINE_BODY_BYTES + 1)
    world.store.create_requests([NewRequest(world._request("r"), body)])
    world.pass_time(1000)
    job: Job = world.to_nodes[0]
    assert job.input == body
    assert job.input_url is not None
    assert expiry(job.input_url, body.sha256) == world.now // 1000 + VALID_SECONDS


def test_a_further_attempt_has_addresses_of_its_own(world: World) -> None:
    world.function()
    world.request()
    world.pass_time(1000)
    world.end(world.to_nodes[0], reason="node_lost")
    world.pass_seconds(5)
    first, second = (expiry(job.package.archive_url, "s") for job in world.to_nodes)
    assert second > first


USES = (SecretUse(name="db", file="db"),)


@pytest.mark.parametrize("asked", [True, False])
def test_a_job_says_where_secrets_are_and_no_value(world: World, asked: bool) -> None:
    trust = Trust(trust_id="t", user_id="u", roles=("member",), asked=asked)
    world.function(secrets=USES, trust=trust)
    world.request()
    world.pass_time(1000)
    job: Job = world.to_nodes[0]
    assert (job.secrets, job.delegated) == (USES, asked)
    assert job.secrets_url is not None
    assert job.trust not in (None, "t")  # it tells one from another, and is no right
    parts = urlsplit(job.secrets_url)
    assert parts.path == "/v1/node/secrets"
    query = {name: value for name, (value,) in parse_qs(parts.query).items()}
    opens = NodeUrls("", world.key).opens_secrets
    expires, signature = int(query["expires"]), query["signature"]
    assert expires == world.now // 1000 + VALID_SECONDS
    assert opens(query["function_id"], job.request_id, expires, signature)
    assert not opens(query["function_id"], "other", expires, signature)
    assert not opens("other", job.request_id, expires, signature)
    assert not opens(query["function_id"], job.request_id, expires + 1, signature)


def test_a_job_that_needs_nothing_more_says_nothing_of_it(world: World) -> None:
    world.function(trust=Trust(trust_id="t", user_id="u", roles=("member",), asked=False))
    world.request()
    world.pass_time(1000)
    job: Job = world.to_nodes[0]
    assert (job.secrets, job.delegated, job.secrets_url, job.trust) == ((), False, None, None)


def test_jobs_tell_by_which_trust(world: World) -> None:
    for trust_id in ("t", "u", "t"):
        trust = Trust(trust_id=trust_id, user_id="u", roles=("member",))
        function_id = f"f{len(world.to_nodes)}"
        world.function(function_id, secrets=USES, trust=trust)
        world.request(f"r{function_id}", function_id=function_id)
        world.pass_time(1000)
    first, second, third = (job.trust for job in world.to_nodes)
    assert (first == third, first == second) == (True, False)


@pytest.mark.parametrize(
    "needs",
    [{"secrets": USES}, {"trust": Trust(trust_id="t", user_id="u", roles=("member",))}],
    ids=["secrets", "trust"],
)
def test_a_node_of_an_earlier_release_gets_no_job_that_needs_more(
    world: World, needs: dict[str, Any]
) -> None:
    """It would run the function without."""
    world.function("needy", **needs)
    world.function("plain")
    world.heartbeat(provisions=False)
    world.request("needy", function_id="needy")
    world.request("plain", function_id="plain")
    world.pass_time(1000)
    assert world.jobs == [("plain", 1, "n")]
    world.heartbeat(provisions=True)
    world.pass_time(1000)
    assert world.jobs == [("plain", 1, "n"), ("needy", 1, "n")]


def test_while_no_address_can_be_made_no_attempt_is_noted(world: World) -> None:
    world.function()
    world.request()
    world.archives_away = True
    with pytest.raises(ArchivesUnavailableError):
        world.pass_time(1000)
    assert (world.stored().status, world.stored().attempt) == (Status.QUEUED, 0)
    world.archives_away = False
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n")]
    world.end(world.to_nodes[0], reason="node_lost")
    world.archives_away = True
    with pytest.raises(ArchivesUnavailableError):
        world.pass_time(1000)
    assert (world.stored().status, world.stored().attempt) == (Status.QUEUED, 1)
    world.archives_away = False
    world.heartbeat()
    world.pass_time(1000)
    assert world.jobs == [("r", 1, "n"), ("r", 2, "n")]
