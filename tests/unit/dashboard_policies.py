"""The service's policy as Horizon reads it: what the plug-in has of it is written by

.venv/bin/python -m tests.unit.dashboard_policies
"""

from pathlib import Path
from typing import Any

import yaml
from oslo_policy import policy

from pratai_api import policies

_PACKAGE = Path(__file__).parent.parent.parent / "pratai_dashboard" / "pratai_dashboard"
PATH = _PACKAGE / "conf" / "default_policies.yaml"


def as_horizon_reads_it() -> list[dict[str, Any]]:
    """Return every rule with its default, good for tokens of any scope: what Horizon says of a user
    has the domain, which oslo.policy would take for the scope of the token.
    """
    return [_rule(each) for each in policies.list_rules()]


def _rule(rule: policy.RuleDefault) -> dict[str, Any]:
    return {
        "name": rule.name,
        "check_str": rule.check_str,
        "description": rule.description,
        "scope_types": None,
    }


if __name__ == "__main__":
    PATH.write_text(yaml.safe_dump(as_horizon_reads_it(), sort_keys=False))
