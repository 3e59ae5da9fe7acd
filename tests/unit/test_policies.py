"""The table of routes and the policy agree: each route has a rule or says that it needs none."""

from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy import policy

from pratai_api import keystone_options, policies
from pratai_api.openapi import NoToken
from pratai_api.routes import ROUTES

ALL = policies.ALL_PROJECTS


def documented() -> dict[str, list[str]]:
    """Return the operations that each rule is documented with."""
    return {
        rule.name: [f"{each['method']} {each['path']}" for each in rule.operations]
        for rule in policies.list_rules()
        if isinstance(rule, policy.DocumentedRuleDefault)
    }


def test_each_rule_is_documented_with_the_routes_that_it_guards() -> None:
    used: dict[str, list[str]] = {}
    for route in ROUTES:
        if isinstance(route.rule, str):
            operation = f"{route.method} {route.documented_path}"
            used.setdefault(route.rule, []).append(operation)
    said = documented()
    lists = {name for name, operations in said.items() if operations[0].endswith(ALL)}
    assert lists == {f"{noun}:list_all_projects" for noun in ("event", "function", "request")}
    for name in lists:
        assert said.pop(name) == [f"{used[name.removesuffix('_all_projects')][0]}{ALL}"]
    assert said.pop("event:all_projects") == ["POST /v1/events", "PATCH /v1/events/{event_id}"]
    assert said == used


def test_these_routes_alone_need_no_token() -> None:
    open_to = {
        kind: {f"{each.method} {each.path}" for each in ROUTES if each.rule is kind}
        for kind in NoToken
    }
    assert open_to[NoToken.ANONYMOUS] == {
        "GET /",
        "GET /v1",
        "GET /healthcheck",
        "GET /v1/openapi.json",
        "GET /v1/status",
        "GET /v1/hooks/<token>",
        "POST /v1/hooks/<token>",
        "OPTIONS /v1/hooks/<token>",
    }
    assert all(each.split(" ")[1].startswith("/v1/node/") for each in open_to[NoToken.SIGNED])
    assert [each.rule for each in ROUTES if each.public] == ["function:call"]


@pytest.fixture
def enforcer(tmp_path: Path) -> policy.Enforcer:
    return make_enforcer(tmp_path, "")


def make_enforcer(folder: Path, overrides: str) -> policy.Enforcer:
    path = folder / "policy.yaml"
    path.write_text(overrides)
    conf = cfg.ConfigOpts()
    keystone_options.register(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override("policy_file", str(path), group="oslo_policy")
    return policies.make_enforcer(conf)


def allowed(enforcer: policy.Enforcer, project_id: str, *roles: str) -> set[str]:
    """Return the rules that let somebody of the project ``p`` act in a project."""
    context = RequestContext(project_id="p", user_id="u", roles=list(roles), overwrite=False)
    target = {"project_id": project_id}
    return {name for name in documented() if enforcer.authorize(name, target, context)}


READS = {
    "function:list",
    "function:running",
    "function:get",
    "version:list",
    "build_log:get",
    "subscription:list",
    "event:list",
    "event:get",
    "key:list",
    "quota:get",
    "request:list",
    "request:get",
    "request:logs",
    "secret:list",
    "runtime:list",
    "runtime:get",
}
OF_ADMINISTRATORS = {
    "cluster:get",
    "event:all_projects",
    "event:list_all_projects",
    "function:list_all_projects",
    "request:list_all_projects",
}
AT_THE_PROJECTS_EXPENSE = {
    "event:create",
    "event:publish",
    "function:create",
    "function:call",
    "key:create",
    "request:replay",
    "secret:create",
    "secret:delete",
    "secret:get",
}


def test_defaults(enforcer: policy.Enforcer) -> None:
    every = set(documented())
    assert allowed(enforcer, "p") == allowed(enforcer, "p", "stranger") == set()
    assert allowed(enforcer, "p", "reader") == READS
    assert allowed(enforcer, "p", "reader", "member") == every - OF_ADMINISTRATORS
    assert allowed(enforcer, "p", "reader", "member", "admin") == every


def test_defaults_in_another_project(enforcer: policy.Enforcer) -> None:
    assert allowed(enforcer, "q", "reader", "member") == set()
    admin = allowed(enforcer, "q", "reader", "member", "admin")
    assert admin == set(documented()) - AT_THE_PROJECTS_EXPENSE


def test_an_operator_overrides(tmp_path: Path) -> None:
    enforcer = make_enforcer(tmp_path, '"function:delete": "rule:admin"\n"cluster:get": "@"\n')
    assert "function:delete" not in allowed(enforcer, "p", "reader", "member")
    assert "function:update" in allowed(enforcer, "p", "reader", "member")
    assert "cluster:get" in allowed(enforcer, "p")


def test_a_broken_file_is_not_overlooked(tmp_path: Path) -> None:
    with pytest.raises(policy.InvalidDefinitionError):
        make_enforcer(tmp_path, '"function:delete": "rule:nothing"\n')
