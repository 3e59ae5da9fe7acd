"""Makes the zips that tests upload."""

import io
import textwrap
import zipfile


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


ECHO = package("def main(payload=None):\n    return payload\n")
