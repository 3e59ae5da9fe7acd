"""Which images of functions go when there is too little room, and what a node knows of them."""

from pathlib import Path

import pytest

from pratai_common.errors import EngineError
from pratai_drivers.engines.base import Held
from pratai_drivers.engines.null import NullEngine
from pratai_drivers.image_collection import ImageCollection
from pratai_drivers.image_records import ImageRecords
from pratai_drivers.surplus import Budget, surplus
from tests.waiting import until

HOUR, DAY = 3600, 86_400
NOW = 100 * DAY
ALL = Budget(size=None, idle=30 * DAY)


def held(*layers: str, size: int = 10, since: int = 0) -> Held:
    return Held(since, tuple((layer, size) for layer in layers))


def used(**hours_ago: float) -> dict[str, int]:
    return {name: int(NOW - hours * HOUR) for name, hours in hours_ago.items()}


def test_what_was_not_used_for_longest_goes_until_the_rest_fits() -> None:
    images = {name: held(name) for name in "abcd"}
    times = used(a=2, b=4, c=1, d=3)
    assert surplus(images, times, set(), NOW, Budget(20, 30 * DAY)) == ["b", "d"]
    assert surplus(images, times, set(), NOW, Budget(40, 30 * DAY)) == []


def test_what_images_share_is_counted_once() -> None:
    images = {"a": held("runtime", "a"), "b": held("runtime", "b")}
    assert surplus(images, used(a=2, b=1), set(), NOW, Budget(30, 30 * DAY)) == []
    assert surplus(images, used(a=2, b=1), set(), NOW, Budget(29, 30 * DAY)) == ["a"]


def test_a_layer_stays_as_long_as_what_is_made_of_it() -> None:
    """The function was used an hour ago, and its dependencies, when it was made, long before."""
    images = {
        "dependencies": held("runtime", "d"),
        "function": held("runtime", "d", "f"),
        "other": held("runtime", "o"),
    }
    times = used(dependencies=50, function=1, other=2)
    assert surplus(images, times, set(), NOW, Budget(30, 30 * DAY)) == ["other"]
    assert surplus(images, times, set(), NOW, Budget(10, 30 * DAY)) == [
        "other",
        "function",
        "dependencies",
    ]
    assert surplus(images, times, {"function"}, NOW, Budget(10, 30 * DAY)) == ["other"]


def test_what_is_held_or_was_used_a_moment_ago_stays_however_little_room_there_is() -> None:
    images = {"idle": held("1"), "held": held("2"), "fresh": held("3")}
    times = used(idle=1, held=2, fresh=0)
    assert surplus(images, times, {"held"}, NOW, Budget(0, 30 * DAY)) == ["idle"]


def test_an_image_that_came_a_moment_ago_counts_as_used() -> None:
    images = {"old": held("1"), "new": held("2", since=NOW - 10)}
    assert surplus(images, {}, set(), NOW, Budget(0, 30 * DAY)) == ["old"]


def test_what_nobody_used_for_so_many_days_goes_though_there_is_room() -> None:
    images = {name: held(name) for name in "ab"}
    assert surplus(images, used(a=31 * 24, b=29 * 24), set(), NOW, ALL) == ["a"]


def records(folder: Path) -> ImageRecords:
    folder.mkdir(parents=True, exist_ok=True)
    return ImageRecords(folder, lambda: NOW * 1000)


def test_what_is_known_survives_a_restart(tmp_path: Path) -> None:
    first = records(tmp_path / "n")
    first.made("content", "image")
    first.write()
    again = records(tmp_path / "n")
    assert again.image("content") == "image"
    assert again.times() == {"image": NOW}
    again.gone("image")
    again.write()
    last = records(tmp_path / "n")
    assert (last.image("content"), last.times()) == (None, {})


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"known": 1, "used": {}}', b"\xff"])
def test_a_damaged_file_is_no_obstacle(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "images.json").write_bytes(content)
    damaged = records(tmp_path / "n")
    assert damaged.times() == {}
    assert f"{tmp_path}/n/images.json is of no use" in caplog.text
    damaged.made("content", "image")
    damaged.write()
    assert records(tmp_path / "n").image("content") == "image"


def test_uses_by_other_nodes_of_the_machine_count(tmp_path: Path) -> None:
    other = records(tmp_path / "other")
    other.used("shared")
    other.write()
    own = ImageRecords(tmp_path / "own", lambda: (NOW - 50) * 1000)
    own.used("shared")
    own.used("mine")
    assert own.times() == {"shared": NOW, "mine": NOW - 50}


class Shelf(NullEngine):
    """An engine with these images, of which containers are made of some."""

    def __init__(self, *images: str) -> None:
        super().__init__([])
        self._images.update(images)
        self.busy: set[str] = set()

    def remove_image(self, image: str) -> bool:
        return image not in self.busy and super().remove_image(image)


def collection(engine: Shelf, own: ImageRecords, size: int) -> ImageCollection:
    return ImageCollection(engine, own, Budget(size, 30 * DAY), 1.0, lambda: NOW * 1000)


def test_where_an_image_has_containers_others_go_in_its_place(tmp_path: Path) -> None:
    engine, own = Shelf("busy", "idle", "held"), records(tmp_path / "n")
    engine.busy.add("busy")
    with own.held("held"):
        collection(engine, own, 0).once()
        assert engine.images().keys() == {"busy", "held"}
    engine.busy.clear()
    collection(engine, own, 0).once()
    assert engine.images() == {}


def test_a_collected_image_is_known_no_more(tmp_path: Path) -> None:
    engine = Shelf("image", "fresh")
    (tmp_path / "n").mkdir()
    before = ImageRecords(tmp_path / "n", lambda: (NOW - DAY) * 1000)
    before.made("content", "image")
    before.made("lost", "somebody removed it")
    before.write()
    own = records(tmp_path / "n")
    own.made("other", "fresh")
    collecting = collection(engine, own, 0)
    collecting.once()
    assert engine.images().keys() == {"fresh"}
    assert [own.image(each) for each in ("content", "lost", "other")] == [None, None, "fresh"]


def test_what_is_known_is_kept_when_the_node_stops(tmp_path: Path) -> None:
    engine, own = Shelf("image"), records(tmp_path / "n")
    own.made("content", "image")
    collecting = ImageCollection(engine, own, ALL, 3600, lambda: NOW * 1000)
    collecting.start()
    collecting.stop()
    assert records(tmp_path / "n").image("content") == "image"
    assert [each.name for each in (tmp_path / "n").iterdir()] == ["images.json"]


class Faulty(Shelf):
    """An engine that nobody expects to fail as it does, at first."""

    def __init__(self, *images: str) -> None:
        super().__init__(*images)
        self.failures = [ValueError("a fault"), EngineError("it is away")]

    def images(self) -> dict[str, Held]:
        if self.failures:
            raise self.failures.pop()
        return super().images()


def test_it_goes_on_whatever_it_fails_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = Faulty("image")
    collecting = ImageCollection(
        engine, records(tmp_path / "n"), Budget(0, 30 * DAY), 0.01, lambda: NOW * 1000
    )
    collecting.start()
    until(lambda: not engine._images, "it is removed")
    collecting.stop()
    assert "it is away" in caplog.text
    assert "ValueError: a fault" in caplog.text
