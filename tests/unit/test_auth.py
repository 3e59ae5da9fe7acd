"""Who calls where there is no Keystone, and what a configuration for Keystone must have."""

from pathlib import Path

import pytest
from oslo_config import cfg

from pratai_api import auth, options
from pratai_common.conf import API_OPTS

COMPLETE = {
    "auth_type": "password",
    "www_authenticate_uri": "http://127.0.0.1:9/v3",
    "auth_url": "http://127.0.0.1:9/v3",
    "username": "pratai",
    "password": "x",
}


def configured(folder: Path, strategy: str, values: dict[str, str]) -> cfg.ConfigOpts:
    path = folder / "pratai.conf"
    lines = [f"{name} = {value}" for name, value in values.items()]
    text = ["[api]", f"auth_strategy = {strategy}", "[keystone_authtoken]", *lines, ""]
    path.write_text("\n".join(text))
    conf = cfg.ConfigOpts()
    conf.register_opts(API_OPTS, group="api")
    options.register(conf)
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
