"""Has a module, data and keys whose names are not ASCII."""

from pathlib import Path

from größe import count


def main(payload=None):
    text = Path("données/気温 🌡.txt").read_text()
    return {"länge": count(payload["größe"]), "気温": text.strip(), **payload}
