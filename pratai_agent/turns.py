"""Fair shares: projects take turns, however much one of them wants. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar


class _OfProject(Protocol):
    @property
    def project_id(self) -> str: ...


Of = TypeVar("Of", bound=_OfProject)


def taking_turns(things: Iterable[Of]) -> list[Of]:
    """Return things in rounds, each with one thing of every project that has some left. Within a
    round, and within a project, they stay in the order in which they were.
    """
    before: Counter[str] = Counter()
    rounds: list[tuple[int, Of]] = []
    for each in things:
        rounds.append((before[each.project_id], each))
        before[each.project_id] += 1
    rounds.sort(key=lambda entry: entry[0])
    return [each for _, each in rounds]
