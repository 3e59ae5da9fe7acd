"""Who may do what: oslo.policy's defaults, which an operator overrides in ``policy.yaml``.

Readers see what their project has, members change and run it, administrators see and change what
any project has and the platform itself. Keystone puts the roles that a role implies into the token.
"""

from collections.abc import Iterator

from oslo_config import cfg
from oslo_policy import policy

READER = "rule:admin or rule:project_reader"
MEMBER = "rule:admin or rule:project_member"
OWN_MEMBER = "rule:project_member"
"""Not an administrator of another project: what this runs, it runs at the project's expense."""
ADMIN = "rule:admin"
ALL_PROJECTS = "?all_projects=true"
_FUNCTION = "/v1/functions/{function_id}"
_SUBSCRIPTION = f"{_FUNCTION}/subscriptions/{{subscription_id}}"
_EVENT = "/v1/events/{event_id}"
_REQUEST = "/v1/requests/{request_id}"
_SECRET = "/v1/secrets/{name}"  # noqa: S105 - a path

_BASE = [
    policy.RuleDefault("admin", "role:admin", "An administrator of the platform."),
    policy.RuleDefault(
        "project_reader",
        "role:reader and project_id:%(project_id)s",
        "Who may see what a project has.",
    ),
    policy.RuleDefault(
        "project_member",
        "role:member and project_id:%(project_id)s",
        "Who may change and run what a project has.",
    ),
]
_RULES: list[tuple[str, ...]] = [
    # name, who, what for, operations
    ("function:list", READER, "List the project's functions.", "GET /v1/functions"),
    (
        "function:list_all_projects",
        ADMIN,
        "List the functions of all projects.",
        f"GET /v1/functions{ALL_PROJECTS}",
    ),
    ("function:create", OWN_MEMBER, "Create a function.", "POST /v1/functions"),
    ("function:running", READER, "List the functions that run.", "GET /v1/functions/running"),
    ("function:get", READER, "Show a function.", f"GET {_FUNCTION}"),
    ("function:update", MEMBER, "Change a function, or its code.", f"PATCH {_FUNCTION}"),
    ("function:delete", MEMBER, "Delete a function.", f"DELETE {_FUNCTION}"),
    (
        "function:call",
        OWN_MEMBER,
        "Run a function, of the project or shared with it. A public one runs for anybody.",
        f"POST {_FUNCTION}",
    ),
    ("function:stop", MEMBER, "Cancel a function's running requests.", f"POST {_FUNCTION}/stop"),
    ("version:list", READER, "List a function's versions.", f"GET {_FUNCTION}/versions"),
    ("build_log:get", READER, "Show the log of a build.", f"GET {_FUNCTION}/build-log"),
    (
        "subscription:list",
        READER,
        "List a function's subscriptions.",
        f"GET {_FUNCTION}/subscriptions",
    ),
    (
        "subscription:create",
        MEMBER,
        "Subscribe a function to an event.",
        f"POST {_FUNCTION}/subscriptions",
    ),
    ("subscription:update", MEMBER, "Change a subscription.", f"PATCH {_SUBSCRIPTION}"),
    ("subscription:delete", MEMBER, "Delete a subscription.", f"DELETE {_SUBSCRIPTION}"),
    ("event:list", READER, "List the project's events.", "GET /v1/events"),
    (
        "event:list_all_projects",
        ADMIN,
        "List the events of all projects.",
        f"GET /v1/events{ALL_PROJECTS}",
    ),
    ("event:create", OWN_MEMBER, "Create an event.", "POST /v1/events"),
    (
        "event:all_projects",
        ADMIN,
        "Create an event that tells of all projects, or change it.",
        "POST /v1/events",
        f"PATCH {_EVENT}",
    ),
    ("event:get", READER, "Show an event.", f"GET {_EVENT}"),
    ("event:update", MEMBER, "Change an event.", f"PATCH {_EVENT}"),
    ("event:delete", MEMBER, "Delete an event.", f"DELETE {_EVENT}"),
    (
        "event:publish",
        OWN_MEMBER,
        "Publish on an event, which runs what subscribes to it.",
        f"POST {_EVENT}",
    ),
    ("request:list", READER, "List the project's requests.", "GET /v1/requests"),
    (
        "request:list_all_projects",
        ADMIN,
        "List the requests of all projects.",
        f"GET /v1/requests{ALL_PROJECTS}",
    ),
    (
        "request:get",
        READER,
        "Show a request and its result; also one that the project asked another's function for.",
        f"GET {_REQUEST}",
    ),
    ("request:logs", READER, "Show what a request printed.", f"GET {_REQUEST}/logs"),
    ("request:cancel", MEMBER, "Cancel a request.", f"DELETE {_REQUEST}"),
    ("request:replay", OWN_MEMBER, "Run a request once more.", f"POST {_REQUEST}/replay"),
    ("key:list", READER, "List the project's API keys.", "GET /v1/keys"),
    ("key:create", OWN_MEMBER, "Make an API key.", "POST /v1/keys"),
    ("key:delete", MEMBER, "Revoke an API key.", "DELETE /v1/keys/{prefix}"),
    ("quota:get", READER, "Show the project's quotas, and how much is used.", "GET /v1/quota"),
    ("secret:list", READER, "List the names of the project's secrets.", "GET /v1/secrets"),
    ("secret:create", OWN_MEMBER, "Keep a secret, or its new value.", "POST /v1/secrets"),
    ("secret:get", OWN_MEMBER, "Show the value of a secret.", f"GET {_SECRET}"),
    ("secret:delete", OWN_MEMBER, "Delete a secret.", f"DELETE {_SECRET}"),
    ("runtime:list", READER, "List the runtimes.", "GET /v1/runtimes"),
    ("runtime:get", READER, "Show a runtime.", "GET /v1/runtimes/{runtime}"),
    ("cluster:get", ADMIN, "List the daemons of the platform.", "GET /v1/cluster"),
]


def list_rules() -> Iterator[policy.RuleDefault]:
    """Yield every rule and its default, for the enforcer and the generated documents."""
    yield from _BASE
    for name, check, description, *operations in _RULES:
        pairs = [operation.split(" ") for operation in operations]
        yield policy.DocumentedRuleDefault(
            name,
            check,
            description,
            [{"method": method, "path": path} for method, path in pairs],
            scope_types=["project"],
        )


def make_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return what judges by these rules and the operator's.

    Raises oslo_policy's InvalidDefinitionError for an operator's rule that refers to none.
    """
    enforcer = policy.Enforcer(conf)
    enforcer.register_defaults(list(list_rules()))
    enforcer.load_rules()
    enforcer.check_rules(raise_on_violation=True)
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """Return an enforcer for oslo.policy's own commands, which have read no configuration."""
    conf = cfg.ConfigOpts()
    conf([], project="pratai")
    return make_enforcer(conf)
