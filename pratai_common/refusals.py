"""How it is said that there is no more of something: how much there may be, and how much is used.

A stranger to a project, who calls a function of it, is told the first alone.
"""

_USED = ", of which "


def figures(most: int | str, used: int | str) -> str:
    """Return how much there may be and how much is used, for the end of a sentence."""
    return f"{most}{_USED}{used} are used"


def over(name: str, most: int, used: int) -> str:
    """Return what is said where a project's quota of that name is used up."""
    return f"the project's quota of {name} is {figures(most, used)}"


def without_usage(message: str) -> str:
    """Return a message that ``figures`` is in, up to how much there may be."""
    return message.partition(_USED)[0]
