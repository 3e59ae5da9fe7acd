"""Says what it does: printed, logged, and by a process that it starts."""

import logging
import subprocess
import sys

LOG = logging.getLogger("pratai")
print("imported")


def main(payload=None):
    print("printed:", payload)
    print("to standard error", file=sys.stderr)
    LOG.debug("not shown")
    LOG.info("logged: %s", payload)
    logging.getLogger("pratai.part").warning("logged by a part")
    subprocess.run(["echo", "by a process"], check=True)
