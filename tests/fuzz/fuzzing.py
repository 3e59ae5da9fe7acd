"""How a target is fuzzed: with what once found something, and with what Hypothesis thinks of.

A target is a function of some bytes, which raises whatever should not be. ``make check`` gives each
the same few inputs every time. With ``PRATAI_FUZZ=N`` in the environment it gets N new ones, and
what fails is left, shrunk, in ``.run/fuzz/TARGET``: as a file of ``seeds/TARGET`` it is tried for
ever.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

Target = Callable[[bytes], None]
_SEEDS = Path(__file__).parent / "seeds"
_FOUND = Path(__file__).parents[2] / ".run" / "fuzz"
_EXAMPLES = int(os.environ.get("PRATAI_FUZZ", "0"))
_LONGEST_SECONDS = 120.0
"""For one input: so long that only what would go on for ever takes longer."""


def thorough(examples: int) -> settings:
    """Return how a test is run with so many inputs in ``make check``."""
    return settings(
        max_examples=_EXAMPLES or examples,
        derandomize=not _EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def fuzz(
    name: str, inputs: SearchStrategy[bytes], examples: int
) -> Callable[[Target], Callable[..., None]]:
    """Make a target a test: of each of its seeds, and of so many inputs in ``make check``."""
    seeds = sorted((_SEEDS / name).iterdir()) if (_SEEDS / name).is_dir() else []

    def decorate(target: Target) -> Callable[..., None]:
        @thorough(examples)
        @given(inputs)
        def generated(content: bytes) -> None:
            with _watched(name, content):
                target(content)

        @pytest.mark.parametrize("seed", [None, *seeds], ids=_named)
        def test(seed: Path | None) -> None:
            if seed is None:
                generated()
            else:
                target(seed.read_bytes())

        test.__doc__ = target.__doc__
        return test

    return decorate


def _named(seed: Path | None) -> str:
    return "generated" if seed is None else seed.name


@contextmanager
def _watched(name: str, content: bytes) -> Iterator[None]:
    """Keep an input that fails, and end one that does not end. Of those that Hypothesis tries, the
    last one that fails is the smallest.
    """
    former = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_SECONDS)
    try:
        yield
    except Exception as error:
        _FOUND.mkdir(parents=True, exist_ok=True)
        (_FOUND / name).write_bytes(content)
        error.add_note(
            f"the input is kept as .run/fuzz/{name}, to be a file in tests/fuzz/seeds/{name}"
        )
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _too_long(_number: int, _frame: object) -> None:
    raise AssertionError(f"an input took longer than {_LONGEST_SECONDS:g} s")
