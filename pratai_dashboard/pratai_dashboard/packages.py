"""The zip of a function that was written in the editor. Pure: no Django, no API."""

import io
import zipfile

STARTER = '''import logging

log = logging.getLogger("pratai")


def main(payload=None):
    """Return what the caller gets: anything that JSON can say."""
    log.info("called with %r", payload)
    return {"hello": payload}
'''
"""What the editor begins with."""


def written(module: str, requirements: str) -> bytes:
    """Return the zip of a Python function. Browsers end lines as HTTP does, and Python does not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("new_module.py", _lines(module))
        archive.writestr("requirements.txt", _lines(requirements))
    return buffer.getvalue()


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n") + "\n"
