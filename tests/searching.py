"""Looks for a text in all that an installation keeps, as it is and in base64, wherever in that."""

import base64
import json
import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

_MOST_RECORDS = 10_000


def forms(text: str) -> list[bytes]:
    """Return a text as it is, and what of its base64 is the same wherever it stands."""
    found = [text.encode()]
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(bytes(before) + text.encode())
        found.append(encoded[skipped : (before + len(text)) * 8 // 6])
    return found


def holds(content: bytes, text: str) -> bool:
    """Say whether a text is in there."""
    return any(form in content for form in forms(text))


def files_with(folder: Path, text: str) -> list[str]:
    """Return the files below a folder that have a text in them."""
    found = []
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            with suppress(FileNotFoundError):  # it goes meanwhile
                if path.is_file() and holds(path.read_bytes(), text):
                    found.append(str(path.relative_to(folder)))
    return sorted(found)


def indexed(url: str) -> bytes:
    """Return all that an Elasticsearch has of installations."""
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(f"{url}/_refresh", timeout=60).ok
        query = f"size={_MOST_RECORDS}&track_total_hits=true"
        answer = session.get(f"{url}/pratai-*/_search?{query}", timeout=60)
    assert answer.ok, answer.text
    hits = answer.json()["hits"]
    assert hits["total"]["value"] == len(hits["hits"])  # nothing is left out
    return answer.content


def inspected(nodes: Iterable[str]) -> list[dict[str, Any]]:
    """Return what Docker tells of the containers of nodes; none where one goes meanwhile."""
    ids = []
    for node in nodes:
        command = ["docker", "ps", "-aq", "--no-trunc", "--filter", f"label=pratai.node={node}"]
        ids += subprocess.check_output(command, text=True).split()
    done = subprocess.run(["docker", "inspect", *ids], check=False, capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout) if ids and done.returncode == 0 else []
    return found


def image_with(code: bytes, containers: Iterable[dict[str, Any]]) -> bytes | None:
    """Return an image of these containers, with all of its layers, which are not packed: one that
    has this code in it.
    """
    for image in {each["Config"]["Image"] for each in containers}:
        saved = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
        if code in saved:
            return saved
    return None
