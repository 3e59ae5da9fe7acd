"""How pages of functions are named: Horizon puts the dashboard and the panel before."""

from django.urls import reverse

_PANEL = "horizon:project:pratai_functions"
INDEX = f"{_PANEL}:index"
DETAIL = f"{_PANEL}:detail"


def to(name: str, *names: object) -> str:
    """Return the address of a page of this panel."""
    return reverse(f"{_PANEL}:{name}", args=names)
