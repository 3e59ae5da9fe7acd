"""``pratai-db-init``: makes or upgrades the store, the installation's key and what archives need.
Repeatable.
"""

import sys

from pratai_common import conf as configuration
from pratai_common.archives import open_archives
from pratai_common.daemon import installation_key
from pratai_common.store.base import open_store
from pratai_common.tokens import create_key


def main() -> int:
    """Run the program."""
    conf = configuration.load("pratai-db-init", sys.argv[1:])
    configuration.state_path(conf).mkdir(parents=True, exist_ok=True, mode=0o750)
    create_key(configuration.token_key_path(conf))
    open_archives(conf, installation_key(conf)).prepare()
    store = open_store(conf)
    try:
        store.create_schema()
    finally:
        store.close()
    return 0
