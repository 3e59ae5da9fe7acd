"""Writes golden_messages.json anew: python -m tests.unit.golden (and see messages.py first)."""

import json
from pathlib import Path

from pratai_common.messages import encode
from tests.unit.test_messages import ONE_OF_EACH

if __name__ == "__main__":
    golden = {type(message).__name__: encode(message).hex() for message in ONE_OF_EACH}
    path = Path(__file__).parent / "golden_messages.json"
    path.write_text(json.dumps(golden, indent=1) + "\n")
