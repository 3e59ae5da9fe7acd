import os
from pathlib import Path

from pratai import context, secret

FOLDER = Path("/run/secrets")


def seen():
    """What is there, with the rights of files, and how the folder is mounted."""
    files = {
        file.name: [file.read_text(), oct(file.stat().st_mode & 0o777)]
        for file in sorted(FOLDER.iterdir())
    }
    lines = Path("/proc/mounts").read_text().splitlines()
    options = next(line.split() for line in lines if f" {FOLDER} " in line)
    return {
        "files": files,
        "variable": os.environ.get("API_KEY"),
        "started_with": Path("/proc/self/environ").read_text(),
        "kind": options[2],
        "options": sorted(set(options[3].split(",")) & {"noexec", "nosuid", "nodev"}),
    }


AT_IMPORT = seen()


def main(payload=None):
    if payload == "spoil":
        for file in FOLDER.iterdir():
            file.unlink()
        (FOLDER / "left").write_text("by an event")
        return None
    if payload == "identity":
        return context.identity
    if payload is not None:
        return secret(payload)
    return {"at_import": AT_IMPORT, "now": seen()}
