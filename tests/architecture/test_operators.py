"""What operators are given: checked by the tools that will read it, as far as that can be here.

What these checks cannot tell is listed in ``doc/source/admin/not-run-here.rst``.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from pratai_common import conf as configuration
from pratai_launcher.daemon import SLACK_SECONDS
from tests.pages import blocks

ROOT = Path(__file__).parent.parent.parent
UNITS = ROOT / "deploy" / "systemd"
COMPOSE = ROOT / "deploy" / "compose"
DEVSTACK = ROOT / "devstack"
BIN = Path(sys.executable).parent
INSTALLED = "/opt/pratai/bin/"
DAEMONS = {f"pratai-{name}" for name in ("api", "agent", "scheduler", "collector", "driver")}


def tool(name: str, package: str) -> str:
    """Return the path of a tool; what is missing is a failure and not a test less."""
    found = shutil.which(name, path=f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"there is no {name}: install {package} (deploy/setup.sh test does)"
    return found


def run(*words: str | Path, **arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **arguments
    )


def scripts() -> set[str]:
    return {each.name for each in entry_points(group="console_scripts")}


def known_options() -> set[tuple[str, str]]:
    """Return group and name of every option that the services and their libraries have."""
    known = set()
    for point in entry_points(group="oslo.config.opts"):
        if point.name.partition(".")[0] == "pratai" or point.name == "oslo.log":
            for group, options in point.load()():
                known |= {(str(group or "DEFAULT"), option.dest) for option in options}
    return known


def options_of(text: str) -> set[tuple[str, str]]:
    parsed = configparser.RawConfigParser(default_section="")
    parsed.read_string(text)
    return {(group, name) for group in parsed.sections() for name in parsed.options(group)}


# systemd


def settings(unit: str) -> dict[str, list[str]]:
    """Return what a unit sets, by name."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / unit).read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


SERVICES = sorted(path.name for path in UNITS.glob("*.service"))


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units in a folder of their own, with the programs of this virtual environment."""
    for path in [*UNITS.glob("*.service"), *UNITS.glob("*.target")]:
        (tmp_path / path.name).write_text(path.read_text().replace(INSTALLED, f"{BIN}/"))
    return tmp_path


def verified(units: Path) -> subprocess.CompletedProcess[str]:
    names = [path.name.replace("@.", "@1.") for path in sorted(units.iterdir())]
    systemd = tool("systemd-analyze", "systemd")
    return run(systemd, "verify", "--man=no", *(f"./{name}" for name in names), cwd=units)


def test_units_are_as_systemd_wants_them(units: Path) -> None:
    done = verified(units)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ExecStart=", "ExecStart=/nowhere"),
        ("ProtectSystem=strict", "ProtectSystem=very"),
        ("LockPersonality=yes", "LockPersonalities=yes"),
    ],
)
def test_a_mistake_in_a_unit_would_be_found(units: Path, right: str, wrong: str) -> None:
    path = units / "pratai-agent.service"
    path.write_text(path.read_text().replace(right, wrong))
    done = verified(units)
    assert done.returncode != 0 or "pratai-agent.service" in done.stdout


def test_every_daemon_has_a_unit() -> None:
    started = {settings(unit)["ExecStart"][0].split()[0] for unit in SERVICES}
    assert started == {f"{INSTALLED}{name}" for name in DAEMONS}
    assert scripts() >= DAEMONS


@pytest.mark.parametrize("unit", SERVICES)
def test_no_daemon_takes_all_the_memory(unit: str) -> None:
    """What libzmq holds of a message half sent is bounded by nothing else."""
    there = settings(unit)
    assert (there["MemoryMax"], there["MemorySwapMax"]) == (["4G"], ["0"])
    assert there["Restart"][0] in ("always", "on-failure")


def _exposed(units: Path, unit: str) -> subprocess.CompletedProcess[str]:
    systemd = tool("systemd-analyze", "systemd")
    return run(
        systemd,
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold=20",
        f"./{unit}",
        cwd=units,
    )


@pytest.mark.parametrize("unit", SERVICES)
def test_units_are_sandboxed(units: Path, unit: str) -> None:
    """Two of ten is what systemd calls OK, and what the network and the state folder cost."""
    unit = unit.replace("@.", "@1.")
    if "@" in unit:
        (units / unit).write_text((units / unit.replace("@1.", "@.")).read_text())
    done = _exposed(units, unit)
    assert done.returncode == 0, done.stdout


def test_a_unit_without_a_sandbox_would_be_found(units: Path) -> None:
    (units / "bare.service").write_text(f"[Service]\nExecStart={BIN}/pratai-agent\n")
    assert _exposed(units, "bare.service").returncode != 0


@pytest.mark.parametrize("unit", SERVICES)
def test_a_unit_gives_its_daemon_time_to_end(unit: str) -> None:
    grace = configuration.load("test", ["--config-file", "/dev/null"]).grace_seconds
    (seconds,) = settings(unit)["TimeoutStopSec"]
    assert int(seconds) >= 2 * grace + SLACK_SECONDS


def test_users_and_folders_of_the_units_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    users = run(
        tool("systemd-sysusers", "systemd"), f"--root={tmp_path}", UNITS / "sysusers.d/pratai.conf"
    )
    assert users.returncode == 0, users.stdout
    made = {line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()}
    wanted = {user for unit in SERVICES for user in settings(unit)["User"]}
    assert made == wanted
    folders = (UNITS / "tmpfiles.d/pratai.conf").read_text()
    for unit in SERVICES:
        assert f"d /var/lib/{settings(unit)['StateDirectory'][0]} " in folders
        assert f"d /var/log/{settings(unit)['LogsDirectory'][0]} " in folders


# logrotate


@pytest.fixture
def rotation(tmp_path: Path) -> Path:
    """The rules for logs below a folder of this test, whose owner turns them."""
    text = (ROOT / "deploy/logrotate/pratai").read_text()
    text = re.sub(r"^ +su .*\n", "", text, flags=re.MULTILINE)
    assert "/var/log/pratai/*.log {" in text
    rules = tmp_path / "rules"
    rules.write_text(text.replace("/var/log/", f"{tmp_path}/log/"))
    rules.chmod(0o644)
    for unit in SERVICES:
        (tmp_path / "log" / settings(unit)["LogsDirectory"][0]).mkdir(exist_ok=True, parents=True)
    return rules


def rotate(rules: Path, *words: str) -> str:
    state = rules.with_name("status")
    done = run(tool("logrotate", "logrotate"), *words, "--state", state, rules)
    assert (done.returncode, "error:" in done.stdout) == (0, False), done.stdout
    return done.stdout


def test_logs_are_moved_and_compressed_the_next_time(rotation: Path) -> None:
    logs = [folder / "pratai-x.log" for folder in (rotation.parent / "log").iterdir()]
    assert len(logs) == 2
    for text in ("first", "second"):
        for log in logs:
            log.write_text(text)
        rotate(rotation, "--force")
    for log in logs:
        names = {path.name for path in log.parent.iterdir()}
        assert names == {"pratai-x.log.1", "pratai-x.log.2.gz"}
        assert log.with_name("pratai-x.log.1").read_text() == "second"


def test_a_mistake_in_the_rules_would_be_found(rotation: Path) -> None:
    rotation.write_text(rotation.read_text().replace("daily", "dayly"))
    with pytest.raises(AssertionError, match="dayly"):
        rotate(rotation, "--debug")


# Compose


def composition() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return found


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    checker = tool("check-jsonschema", "test-requirements.txt")
    return run(checker, "--builtin-schema", "vendor.compose-spec", path)


def test_the_composition_is_as_the_compose_specification_wants_it(tmp_path: Path) -> None:
    done = checked(COMPOSE / "compose.yaml")
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((COMPOSE / "compose.yaml").read_text().replace("restart:", "restarts:"))
    assert checked(wrong).returncode != 0


def test_what_the_composition_refers_to_is_there() -> None:
    whole = composition()
    for service in whole["services"].values():
        for kind in ("networks", "depends_on"):
            defined = whole["services" if kind == "depends_on" else kind]
            assert set(service.get(kind, [])) <= set(defined), service
        for kind in ("configs", "secrets"):
            for used in service.get(kind, []):
                assert (used if isinstance(used, str) else used["source"]) in whole[kind], service
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in whole["volumes"] or source.startswith("/"), service
    for config in whole["configs"].values():
        assert (COMPOSE / config["file"]).is_file()
    secrets = {config["file"] for config in whole["secrets"].values()}
    assert secrets == {"secrets/pratai.conf", "secrets/elasticsearch_password"}
    ignored = (COMPOSE / "secrets/.gitignore").read_text().split()
    assert ignored == ["*", "!.gitignore", "!pratai.conf.sample"]


def test_every_container_is_confined_and_looked_after() -> None:
    for name, service in composition()["services"].items():
        assert not service.get("privileged"), name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "healthcheck" in service, name
        assert not {"network_mode", "pid", "ipc"} & service.keys(), name
        socket = any("docker.sock" in each for each in service.get("volumes", []))
        assert socket is (name == "driver"), name


def test_containers_run_programs_that_there_are() -> None:
    started = set()
    for service in composition()["services"].values():
        if service["image"].startswith("pratai:"):
            words = " ".join(service["command"])
            started |= set(re.findall(r"\b(pratai-[a-z-]+)(?= )", words))
    assert started == DAEMONS | {"pratai-db-init", "pratai-keys", "pratai-nginx-conf"}
    assert started <= scripts()


@pytest.mark.parametrize(
    "path", ["pratai.conf", "pratai-driver.conf", "secrets/pratai.conf.sample"]
)
def test_options_in_configuration_files_are_known(path: str) -> None:
    found = options_of((COMPOSE / path).read_text())
    assert found
    assert found - known_options() - _keystone_password() == set()


PAGES = sorted((ROOT / "doc" / "source").rglob("*.rst"))


def test_options_in_the_documents_are_known() -> None:
    """Those in ``ini`` blocks, and those that are named with their group; of our own groups."""
    known = known_options()
    groups = {group for group, _ in known}
    found = set()
    for page in PAGES:
        named = re.findall(r"``\[(\w+)\]\s+(\w+)", page.read_text())
        there = {*named, *(each for block in blocks(page, "ini") for each in options_of(block))}
        unknown = {(group, name) for group, name in there if group in groups} - known
        assert unknown == set(), page
        found |= there
    assert len(found & known) > 50


def _keystone_password() -> set[tuple[str, str]]:
    """Return the options of the plug-in that Keystone's middleware loads by its name."""
    plugin = next(iter(entry_points(group="keystoneauth1.plugin", name="password"))).load()
    groups = ("keystone_authtoken", "swift")
    return {(group, option.dest) for group in groups for option in plugin().get_options()}


def test_a_node_is_given_no_password() -> None:
    groups = {group for group, _ in options_of((COMPOSE / "pratai-driver.conf").read_text())}
    assert groups == {"DEFAULT", "sockets", "driver", "archives"}
    driver = composition()["services"]["driver"]
    assert "secrets" not in driver


def test_a_node_is_given_no_key_of_the_control_plane() -> None:
    """Nor may any daemon write there: whose key lies in the folder is admitted."""
    services = composition()["services"]
    keys = {
        name: [each for each in service.get("volumes", []) if "keys.d" in each]
        for name, service in services.items()
    }
    assert keys["driver"] == ["/etc/pratai/node-keys.d:/etc/pratai/keys.d:ro"]
    for name in DAEMONS - {"pratai-driver", "pratai-api"} | {"pratai-api1"}:
        assert keys[name.removeprefix("pratai-")] == ["/etc/pratai/keys.d:/etc/pratai/keys.d:ro"]


# devstack

STACK = r"""
set -eu
DEST=/opt/stack DATA_DIR=/opt/stack/data SERVICE_HOST=192.0.2.1 SERVICE_PROTOCOL=http
SERVICE_PROJECT_NAME=service STACK_USER=stack REGION_NAME=RegionOne ENABLE_DEBUG_LOG_LEVEL=True
record() { printf '%s' "$1"; shift; printf '\t%s' "$@"; printf '\n'; }
for name in enable_service install_package add_user_to_group setup_develop pip_install iniset \
    configure_keystone_authtoken_middleware create_service_user get_or_create_service \
    get_or_create_endpoint get_or_add_user_project_role run_process stop_process wait_for_service \
    sudo install pratai-db-init; do
    eval "$name() { record $name \"\$@\"; }"
done
is_service_enabled() { [[ " pratai-api $ALSO " == *" $1 "* ]]; }
get_python_exec_prefix() { echo /opt/stack/data/venv/bin; }
die() { echo "died: $*"; exit 1; }
/opt/stack/data/venv/bin/pratai-db-init() { record pratai-db-init "$@"; }
/opt/stack/data/venv/bin/pratai-keys() { record pratai-keys "$@"; }
hostname() { echo devstack; }
source "$1/settings"
for phase in "stack pre-install" "stack install" "stack post-config" "stack extra" \
    "stack test-config" "unstack " "clean "; do
    record phase "$phase"
    source "$1/plugin.sh" $phase
done
"""


def stacked(also: str = "") -> list[list[str]]:
    """Return what the plug-in asks of devstack, phase by phase, one call a line."""
    bash = tool("bash", "bash")
    done = run(bash, "-c", STACK, "stack.sh", DEVSTACK, env={**os.environ, "ALSO": also})
    assert done.returncode == 0, done.stdout
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_the_devstack_plugin_starts_and_stops_every_daemon() -> None:
    calls = stacked()
    started = [call[1] for call in calls if call[0] == "run_process"]
    assert set(started) == DAEMONS
    assert {call[1] for call in calls if call[0] == "stop_process"} == DAEMONS
    enabled = next(call for call in calls if call[0] == "enable_service")
    assert set(enabled[1:]) == DAEMONS
    phases = [index for index, call in enumerate(calls) if call[0] == "phase"]
    init = next(index for index, call in enumerate(calls) if call[0] == "pratai-db-init")
    first = next(index for index, call in enumerate(calls) if call[0] == "run_process")
    assert phases[3] < init < first < phases[4]
    keys = [index for index, call in enumerate(calls) if call[0] == "pratai-keys"]
    assert [calls[index][3:] for index in keys] == [["init"], ["node", "devstack"]]
    assert phases[3] < min(keys) < max(keys) < first
    endpoint = next(call for call in calls if call[0] == "get_or_create_endpoint")
    assert endpoint[1:] == ["function", "RegionOne", "http://192.0.2.1:9096"]


def test_the_devstack_plugin_sets_options_that_there_are() -> None:
    plain = {(call[2], call[3]): call[4] for call in stacked() if call[0] == "iniset"}
    swift = {(call[2], call[3]): call[4] for call in stacked("swift") if call[0] == "iniset"}
    assert plain.keys() < swift.keys()
    assert swift[("archives", "driver")] == "swift"
    assert swift.keys() - known_options() == set()


def test_the_devstack_settings_are_shell() -> None:
    done = run(tool("shellcheck", "test-requirements.txt"), DEVSTACK / "settings")
    assert done.returncode == 0, done.stdout
