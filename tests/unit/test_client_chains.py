"""Chains of requests on the command line: how they are drawn, listed and repeated."""

import json
from typing import Any

import pytest
from msgspec.structs import replace
from prataiclient import chain, resources
from prataiclient.commands import request as request_commands

from pratai_api.services import Services
from pratai_common.records import Body, Request, Status
from pratai_common.store.base import Changed, RequestChange
from pratai_common.submit import Cause, Trigger
from tests.records import function
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai


def request(identity: str, parent: str | None = None, **fields: Any) -> resources.Request:
    shown = {
        "request_id": identity, "function_id": f"f-{identity}", "parent_id": parent,
        "status": "success", "reason": None, "run_ms": 1.0,
    }  # fmt: skip
    return resources.Request(shown | fields)


def drawing(encoding: str, *descendants: resources.Request, marked: str = "") -> list[str]:
    top = chain.tree(request("1"), descendants, lambda function_id: function_id)
    lines = chain.drawn(top, marked, chain.branches(encoding))
    return [line.removesuffix("\n") for line in lines]


# Drawing


def test_a_tree_has_a_line_for_each_request() -> None:
    descendants = (
        request("2", "1", run_ms=1234.56),
        request("3", "2", status="error", reason="oom"),
        request("4", "1", status="queued", run_ms=None),
        request("5", "4"),
    )
    assert drawing("utf-8", *descendants, marked="3") == [
        "f-1          success          1.0 ms  1",
        "├── f-2      success       1234.6 ms  2",
        "│   └── f-3  error: oom       1.0 ms  3  <--",
        "└── f-4      queued                -  4",
        "    └── f-5  success          1.0 ms  5",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_lines_has_ascii(encoding: str) -> None:
    drawn = drawing(encoding, request("2", "1"), request("3", "2"), request("4", "1"))
    assert [line.partition("  success")[0].rstrip() for line in drawn] == [
        "f-1", "|-- f-2", "|   `-- f-3", "`-- f-4",
    ]  # fmt: skip


def test_a_child_may_be_listed_before_its_parent_or_without_it() -> None:
    top = chain.tree(
        request("1"), [request("3", "2"), request("2", "1"), request("9", "8")], str.upper
    )
    assert [each["request_id"] for each in top["children"]] == ["2", "9"]
    assert top["children"][0]["children"][0]["request_id"] == "3"
    assert (top["function"], top["function_id"]) == ("F-1", "f-1")


# Chains of the API


class Chain:
    """Requests of three functions that ended, each of which the one before it caused."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.first = self._add("extract", None)
        self.second = self._add("transform", self.first)
        self.third = self._add("load", self.second)

    def _add(self, name: str, parent: Request | None) -> Request:
        owner = function(function_id=f"id-of-{name}", name=name, project_id="default")
        self._services.store.create_function(owner)
        cause = Cause("test", name)
        trigger = Trigger(function=owner, user_id="u", cause=cause, payload=b"1", parent=parent)
        identity = self._services.submitter.run(trigger).request.request_id
        (after,) = self._services.store.change_requests([RequestChange(identity, _ended)])
        assert after is not None
        return after

    def die(self, request: Request) -> None:
        """Make a request a dead letter."""
        change = RequestChange(request.request_id, lambda old: Changed(replace(old, dead=True)))
        self._services.store.change_requests([change])


def _ended(old: Request) -> Changed:
    finished_at = old.created_at + 1000 * old.depth
    ended = replace(old, status=Status.SUCCESS, run_ms=2.5, finished_at=finished_at)
    return Changed(ended, Body.inline(b"1"))


@pytest.fixture
def made(api_world: ApiWorld) -> Chain:
    return Chain(api_world.api.application.extensions["pratai"])


def test_the_chain_of_a_request_is_drawn_from_its_root(pratai: Pratai, made: Chain) -> None:
    ran = pratai("request-show", made.second.request_id, "--tree")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"extract        success       2.5 ms  {made.first.request_id}",
        f"└── transform  success       2.5 ms  {made.second.request_id}  <--",
        f"    └── load   success       2.5 ms  {made.third.request_id}",
    ]
    assert pratai("function-delete", "load").code == 0
    drawn = pratai("request-show", made.first.request_id, "--tree").out
    assert f"└── {made.third.function_id}" in drawn


def test_the_chain_of_a_request_is_nested_json(pratai: Pratai, made: Chain) -> None:
    def node(of: Request, function: str, *children: Any) -> Any:
        return {
            "request_id": of.request_id, "function_id": of.function_id, "status": "success",
            "reason": None, "run_ms": 2.5, "function": function, "children": list(children),
        }  # fmt: skip

    expected = node(made.first, "extract", node(made.second, "transform", node(made.third, "load")))
    for each in made.first, made.third:
        assert pratai.json("request-show", each.request_id, "--tree") == expected


def test_a_long_chain_is_cut_and_says_so(
    pratai: Pratai, made: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_commands, "_MOST_OF_CHAIN", 1)
    ran = pratai("request-show", made.third.request_id, "--tree")
    assert (ran.code, ran.err) == (0, "only the first 1 behind the root are shown\n")
    assert [line.split()[-2] for line in ran.out.splitlines()] == ["ms", "ms"]


def test_requests_are_listed_by_parent_root_and_death(pratai: Pratai, made: Chain) -> None:
    def listed(*arguments: str) -> set[str]:
        return {each["request_id"] for each in pratai.json("request-list", *arguments)}

    second, third = made.second.request_id, made.third.request_id
    assert listed("--parent", made.first.request_id) == {second}
    assert listed("--root", made.first.request_id) == {second, third}
    assert listed("--filter", "success") == {made.first.request_id, second, third}
    assert listed("--filter", "dead") == set()
    made.die(made.third)
    assert listed("--filter", "dead") == {third}
    assert listed("--filter", "load", "--filter", "dead", "--filter", "success") == {third}
    assert listed("--filter", "extract", "--filter", "dead") == set()
    refused = pratai.refused("request-list", "--filter", "load", "--filter", "extract")
    assert refused == (4, "--filter extract: there is another function")


def test_a_chain_whose_root_is_gone_says_so(
    pratai: Pratai, api_world: ApiWorld, made: Chain
) -> None:
    assert pratai("request-show", made.third.request_id, "--tree").code == 0
    assert api_world.store.delete_ended_requests(made.second.created_at + 10**6, 1) == 1
    code, message = pratai.refused("request-show", made.third.request_id, "--tree")
    assert (code, "which began the chain, is no longer kept" in message) == (3, True)


# Repeating


def test_several_requests_are_replayed(pratai: Pratai, made: Chain) -> None:
    ids = [made.first.request_id, made.second.request_id]
    replays = pratai.json("request-replay", *ids)
    assert [each["replay_of"] for each in replays] == ids
    for each in replays:
        assert pratai.json("request-show", each["request_id"])["replay_of"] == each["replay_of"]


def test_what_was_replayed_before_a_failure_is_listed(pratai: Pratai, made: Chain) -> None:
    ran = pratai("request-replay", made.first.request_id, "nobody", "-f", "json")
    assert (ran.code, "there is no request nobody" in ran.err) == (3, True)
    assert [each["replay_of"] for each in json.loads(ran.out)] == [made.first.request_id]
    code, message = pratai.refused("request-replay", "nobody", made.first.request_id)
    assert (code, "there is no request nobody" in message) == (3, True)


def test_one_request_alone_is_waited_for(pratai: Pratai, made: Chain) -> None:
    ids = (made.first.request_id, made.second.request_id)
    before = len(pratai.json("request-list"))
    refused = pratai.refused("request-replay", "--wait", *ids)
    assert refused == (4, "--wait goes with one request only")
    assert len(pratai.json("request-list")) == before
