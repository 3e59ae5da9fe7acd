"""Uses modules and data that lie beside it."""

import json
from pathlib import Path

import units
from shapes.round import circle_area

RATES = json.loads((Path(__file__).parent / "data" / "rates.json").read_text())


def main(payload=None):
    area = circle_area(payload["radius"])
    return {"area": units.rounded(area), "price": units.rounded(area * RATES[payload["rate"]])}
