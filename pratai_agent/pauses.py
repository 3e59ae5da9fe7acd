"""Pauses before something is tried again."""

import random

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 60.0


class Pauses:
    """Each is twice as long as the one before, up to a bound, and by chance up to half shorter, so
    that what failed together does not come again together.
    """

    def __init__(self) -> None:
        self._longest = FIRST_SECONDS

    def next(self) -> float:
        """Return how many seconds to wait."""
        longest = self._longest
        self._longest = min(2 * longest, LONGEST_SECONDS)
        return random.uniform(longest / 2, longest)  # noqa: S311 - no secret

    def reset(self) -> None:
        """Begin with a short one again."""
        self._longest = FIRST_SECONDS
