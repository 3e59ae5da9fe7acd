"""What containers of the suites are called."""

import hashlib
from pathlib import Path


def container_name(folder: Path) -> str:
    """Return the name of the container whose runner is reached in a folder: no other has it, though
    pytest cuts long names of folders, and gives the same in each of its processes.
    """
    return f"pratai-test-{hashlib.sha256(bytes(folder)).hexdigest()[:16]}"
