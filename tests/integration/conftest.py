"""What the tests of whole installations share."""

from collections.abc import Iterator

import pytest

from tests.openstack import OpenStack


@pytest.fixture(scope="package")
def openstack() -> Iterator[OpenStack]:
    """The openstack stack that tests share; one that stops a part of it starts that again.

    It ends with them: idle, it takes a good part of a processor.
    """
    running = OpenStack()
    try:
        yield running.start()
    finally:
        running.remove()
