"""Makes the zips that tests upload."""

import io
import json
import tarfile
import textwrap
import zipfile
from typing import Any


def package(module: str, requirements: str = "", **files: str | bytes) -> bytes:
    """Return a function's zip; ``files`` are further ones, by name with dots as ``__``."""
    content: dict[str, str | bytes] = {
        "new_module.py": textwrap.dedent(module),
        "requirements.txt": requirements,
    }
    content.update({name.replace("__", "."): text for name, text in files.items()})
    return zipped(content)


def zipped(content: dict[str, str | bytes]) -> bytes:
    """Return a zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def wheel(name: str, version: str, *requires: str, content: str = "") -> dict[str, str | bytes]:
    """Return a wheel with one module, by its file's name: a file of a function's zip."""
    info = f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {each}" for each in requires]
    tags = ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    files: dict[str, str | bytes] = {
        f"{name}.py": content,
        f"{info}/METADATA": "\n".join([*metadata, ""]),
        f"{info}/WHEEL": "\n".join([*tags, ""]),
        f"{info}/RECORD": "",
    }
    return {f"{name}-{version}-py3-none-any.whl": zipped(files)}


def npm_package(name: str, **manifest: Any) -> bytes:
    """Return the archive of a package that exports ``value``, 7."""
    files = {
        "package.json": json.dumps({"name": name, "version": "1.0.0", **manifest}),
        "index.js": "exports.value = 7;\n",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()


ECHO = package("def main(payload=None):\n    return payload\n")
