"""What a function's events share, and how many containers wait for them: who may choose what."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from pratai_api.isolations import Isolations
from pratai_common.options.projects import FUNCTIONS_OPTS
from pratai_common.records import Isolation
from tests.packages import ECHO
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import Pratai

MakeWorld = Callable[[Isolations], ApiWorld]
ALL: tuple[Isolation, ...] = ("container", "process", "shared")


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    made: list[ApiWorld] = []

    def make(isolations: Isolations) -> ApiWorld:
        made.append(ApiWorld(tmp_path, isolations=isolations))
        return made[-1]

    yield make
    for each in made:
        each.close()


def create(world: ApiWorld, name: str = "f", **settings: Any) -> Any:
    metadata = json.dumps({"name": name, **settings})
    form = {"zip_file": (io.BytesIO(ECHO), "f.zip"), "metadata": metadata}
    return world.api.post("/v1/functions", data=form)


def update(world: ApiWorld, function_id: str, **settings: Any) -> Any:
    return world.api.patch(f"/v1/functions/{function_id}", json=settings)


def refused(answer: Any, message: str) -> None:
    error = answer.json["error"]
    assert (answer.status_code, error["reason"]) == (403, "isolation_not_allowed")
    assert error["message"] == message


def test_a_function_chooses(make_world: MakeWorld) -> None:
    world = make_world(Isolations())
    made = create(world, isolation="process", spares=3).json
    assert (made["isolation"], made["spares"]) == ("process", 3)
    changed = update(world, made["function_id"], isolation="shared", spares=0).json
    assert (changed["isolation"], changed["spares"]) == ("shared", 0)
    unpinned = update(world, made["function_id"], spares=None).json
    assert (unpinned["isolation"], unpinned["spares"]) == ("shared", None)
    record = world.store.get_functions([made["function_id"]])[made["function_id"]]
    assert (record.isolation, record.spares) == ("shared", None)


@pytest.mark.parametrize("default", ALL)
def test_the_operator_chooses_for_who_does_not(make_world: MakeWorld, default: Isolation) -> None:
    made = create(make_world(Isolations(default))).json
    assert (made["isolation"], made["spares"]) == (default, None)


def test_what_the_operator_does_not_allow_is_refused(make_world: MakeWorld) -> None:
    world = make_world(Isolations(allowed=("container", "process")))
    message = "a function may not have the isolation shared, but container or process"
    refused(create(world, isolation="shared"), message)
    assert world.api.get("/v1/functions").json["functions"] == []
    made = create(world, isolation="process").json
    refused(update(world, made["function_id"], isolation="shared"), message)
    assert update(world, made["function_id"], isolation="container").status_code == 200


def test_what_was_allowed_once_stays(make_world: MakeWorld, tmp_path: Path) -> None:
    made = create(make_world(Isolations()), isolation="shared").json
    later = make_world(Isolations(allowed=("container",)))
    assert update(later, made["function_id"], memory=256).json["isolation"] == "shared"
    message = "a function may not have the isolation shared, but container"
    refused(update(later, made["function_id"], isolation="shared"), message)


def test_shared_is_not_for_public_functions(make_world: MakeWorld) -> None:
    world = make_world(Isolations())
    message = "a public function may not have the isolation shared, but container or process"
    refused(create(world, isolation="shared", public=True), message)
    public = create(world, "a", isolation="process", public=True).json
    refused(update(world, public["function_id"], isolation="shared"), message)
    shared = create(world, "b", isolation="shared").json
    refused(update(world, shared["function_id"], public=True), message)
    private = update(world, public["function_id"], isolation="shared", public=False).json
    assert (private["isolation"], private["public"]) == ("shared", False)


def test_shared_is_for_public_functions_where_the_operator_says_so(make_world: MakeWorld) -> None:
    made = create(make_world(Isolations(public_shared=True)), isolation="shared", public=True)
    assert (made.status_code, made.json["isolation"]) == (201, "shared")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"isolation": "none"}, "Invalid enum value 'none' - at `$.isolation`"),
        ({"isolation": None}, "Expected `str`, got `null` - at `$.isolation`"),
        ({"spares": 33}, "Expected `int` <= 32 - at `$.spares`"),
        ({"spares": -1}, "Expected `int` >= 0 - at `$.spares`"),
        ({"spares": 1.5}, "Expected `int | null`, got `float` - at `$.spares`"),
    ],
)
def test_what_is_none(make_world: MakeWorld, settings: dict[str, Any], message: str) -> None:
    world = make_world(Isolations())
    made = create(world).json
    created = create(world, "b", **settings)
    assert created.json["error"]["message"] == f"metadata: {message}"
    updated = update(world, made["function_id"], **settings)
    assert updated.json["error"]["message"] == f"the body: {message}"
    for answer in (created, updated):
        assert (answer.status_code, answer.json["error"]["reason"]) == (400, "invalid")


def test_the_command_line_chooses_too(pratai: Pratai, tmp_path: Path) -> None:
    archive = tmp_path / "echo.zip"
    archive.write_bytes(ECHO)
    given = ("--zip", str(archive), "--isolation", "process", "--spares", "2")
    made = pratai.json("function-create", "f", *given)
    assert (made["isolation"], made["spares"]) == ("process", 2)
    changed = pratai.json("function-update", "f", "--isolation", "shared", "--spares", "0")
    assert (changed["isolation"], changed["spares"]) == ("shared", 0)
    unpinned = pratai.json("function-update", "f", "--spares", "none")
    assert (unpinned["isolation"], unpinned["spares"]) == ("shared", None)


def conf(**values: Any) -> cfg.ConfigOpts:
    made = cfg.ConfigOpts()
    made.register_opts(FUNCTIONS_OPTS, group="functions")
    made([])
    for name, value in values.items():
        made.set_override(name, value, group="functions")
    return made


def test_the_configuration_allows_all_but_shared_public_ones() -> None:
    assert Isolations.from_conf(conf()) == Isolations("container", ALL, False)


def test_a_default_must_be_allowed() -> None:
    with pytest.raises(SystemExit) as found:
        Isolations.from_conf(conf(isolations=["process"]))
    assert str(found.value) == (
        "[functions] default_isolation is container, which isolations does not name"
    )
    chosen = Isolations.from_conf(conf(isolations=["process"], default_isolation="process"))
    assert (chosen.default, chosen.allowed) == ("process", ("process",))
