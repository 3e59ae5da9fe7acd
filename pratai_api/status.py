"""``pratai-status upgrade check``: whether an installation can go on with this release.

It ends with 0 where all is well, 1 where something should be looked at, and 2 where an upgrade
would fail, as every OpenStack service has it.
"""

import sys

from oslo_upgradecheck import upgradecheck

from pratai_api import keystone_options, middleware_options
from pratai_api.upgrade_checks import Checks
from pratai_common import conf as configuration


def main() -> int:
    """Run the program."""
    conf = configuration.registered()
    middleware_options.register(conf)
    keystone_options.register(conf)
    code: int = upgradecheck.main(conf, "pratai", Checks(conf), sys.argv[1:])
    return code
