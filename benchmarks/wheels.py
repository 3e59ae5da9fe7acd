"""Makes wheels: requirements that lie in a function's zip."""

import base64
import hashlib
import uuid
from typing import NamedTuple

from tests.packages import zipped


class Wheel(NamedTuple):
    """A package named ``requirement`` whose ``VALUE`` is a text of its own."""

    filename: str
    content: bytes
    value: str


def new() -> Wheel:
    """Return a wheel like no other."""
    value = uuid.uuid4().hex
    info = "requirement-1.0.dist-info"
    content: dict[str, str | bytes] = {
        "requirement.py": f"VALUE = {value!r}\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: requirement\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},{_hash(text)},{len(text)}" for name, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    return Wheel("requirement-1.0-py3-none-any.whl", zipped(content), value)


def _hash(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
