"""Makes the zips that tests upload."""

import io
import textwrap
import zipfile


def package(module: str, requirements: str = "", **files: str) -> bytes:
    """Return a function's zip; ``files`` are further ones, by name with dots as ``__``."""
    content = {"new_module.py": textwrap.dedent(module), "requirements.txt": requirements}
    content.update({name.replace("__", "."): text for name, text in files.items()})
    return zipped(content)


def zipped(content: dict[str, str | bytes]) -> bytes:
    """Return a zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


ECHO = package("def main(payload=None):\n    return payload\n")
