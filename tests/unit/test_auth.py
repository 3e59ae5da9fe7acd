"""Who calls where there is no Keystone, and what a configuration for Keystone must have."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from oslo_config import cfg
from werkzeug.test import create_environ

from pratai_api import auth
from pratai_api.errors import ApiError
from pratai_common.options.api import API_OPTS

COMPLETE = {
    "auth_type": "password",
    "www_authenticate_uri": "http://127.0.0.1:9/v3",
    "auth_url": "http://127.0.0.1:9/v3",
    "username": "pratai",
    "password": "x",
}


def configured(
    folder: Path, strategy: str, values: dict[str, str], threads: int = 64
) -> cfg.ConfigOpts:
    path = folder / "pratai.conf"
    lines = [f"{name} = {value}" for name, value in values.items()]
    api = ["[api]", f"auth_strategy = {strategy}", f"threads = {threads}"]
    text = [*api, "[keystone_authtoken]", *lines, ""]
    path.write_text("\n".join(text))
    conf = cfg.ConfigOpts()
    conf.register_opts(API_OPTS, group="api")
    conf([], default_config_files=[str(path)], default_config_dirs=[])
    return conf


def test_without_keystone_nobody_is_believed(tmp_path: Path) -> None:
    identity = auth.open_identity(configured(tmp_path, "noauth", {}))
    for environ in ({}, {"HTTP_X_PROJECT_ID": "p", "HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "none"}):
        who = identity.identify(dict(environ))
        assert who is not None
        assert (who.project_id, who.user_id) == ("default", "default")
        assert who.allows("cluster:get", "default")


@pytest.mark.parametrize("missing", ["auth_type", "www_authenticate_uri"])
def test_a_configuration_that_lacks_something_is_not_started_with(
    tmp_path: Path, missing: str
) -> None:
    assert auth.open_identity(configured(tmp_path, "keystone", COMPLETE)).secured
    lacking = {name: value for name, value in COMPLETE.items() if name != missing}
    with pytest.raises(cfg.RequiredOptError, match=missing):
        auth.open_identity(configured(tmp_path, "keystone", lacking))


def refusal(identity: auth.Identity) -> tuple[int, str, str]:
    """Return how somebody with a token is refused."""
    with pytest.raises(ApiError) as raised:
        identity.identify(create_environ(headers={"X-Auth-Token": "token"}))
    assert raised.value.headers == {"Retry-After": "1"}
    return raised.value.code, raised.value.reason, str(raised.value)


def test_a_keystone_that_hangs_holds_few_threads(tmp_path: Path) -> None:
    """Of eight one: who comes meanwhile is refused, and who has no token does not wait at all."""
    message = "Keystone does not answer, so nobody knows who calls; nothing was done"
    unavailable = (503, "identity_unavailable", message)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        ThreadPoolExecutor(1) as threads,
    ):
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v3"
        values = {**COMPLETE, "auth_url": address, "http_connect_timeout": "20"}
        identity = auth.open_identity(configured(tmp_path, "keystone", values, threads=8))
        for _ in range(2):
            silent.settimeout(60)
            waits = threads.submit(refusal, identity)
            with closing(silent.accept()[0]):
                silent.settimeout(0.1)
                assert refusal(identity) == unavailable
                assert identity.identify(create_environ()) is None
                assert not waits.done()
                with pytest.raises(TimeoutError):
                    silent.accept()
            while not waits.done():  # it asks more than once
                with suppress(TimeoutError):
                    silent.accept()[0].close()
            assert waits.result() == unavailable
