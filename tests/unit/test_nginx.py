"""nginx's configuration, the marks in it, and which instances the launcher runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from pratai_api.nginx import site
from pratai_api.rolling import RollError, Site
from pratai_common import conf as configuration
from pratai_common import limits
from pratai_launcher.daemon import supervisor_settings


def loaded(folder: Path, text: str = "") -> cfg.ConfigOpts:
    path = folder / "pratai.conf"
    path.write_text(f"[DEFAULT]\nstate_path = {folder}\n{text}")
    return configuration.load("test", ["--config-file", str(path)])


def test_limits_are_those_of_the_api(tmp_path: Path) -> None:
    text = site(loaded(tmp_path))
    assert f"client_max_body_size {limits.MAX_BODY_BYTES};" in text
    assert f"client_max_body_size {limits.MAX_FORM_BYTES};" in text
    assert f"large_client_header_buffers 8 {limits.MAX_REQUEST_LINE_BYTES + 2};" in text
    [kept] = re.findall(r"\bkeepalive_timeout (\d+)s", text)
    assert int(kept) < limits.API_KEEPALIVE_SECONDS
    waits = [int(each) for each in re.findall(r"proxy_read_timeout (\d+)s", text)]
    assert waits[0] > limits.MAX_WAIT_SECONDS
    assert waits[1] > limits.MAX_FOLLOW_SECONDS


def test_its_own_errors_have_the_one_shape(tmp_path: Path) -> None:
    found = re.findall(r"return (\d+) '(.*)';", site(loaded(tmp_path)))
    assert len(found) > 9
    for code, body in found:
        error: dict[str, Any] = json.loads(body.replace("\\'", "'"))["error"]
        assert error["code"] == int(code)
        assert error["http_request_id"] == "$pratai_http_request_id"
        assert set(error) == {"code", "title", "message", "reason", "http_request_id"}


def test_tls_and_networks_are_as_configured(tmp_path: Path) -> None:
    text = "[nginx]\ncertificate = /c.pem\ncertificate_key = /k.pem\nnode_networks = 10.0.0.0/8\n"
    made = site(loaded(tmp_path, text))
    assert "listen 127.0.0.1:9096 ssl;" in made
    assert 'ssl_certificate "/c.pem";' in made
    assert 'ssl_certificate_key "/k.pem";' in made
    assert re.findall("allow (.*);", made) == ["10.0.0.0/8"]
    assert "ssl" not in site(loaded(tmp_path))


@pytest.mark.parametrize("value", ["127.0.0.1", "127.0.0.1:x", "a b:80", "a;b:80", ":9096"])
def test_addresses_that_are_none_are_refused(tmp_path: Path, value: str) -> None:
    for option in ("listen", "apis"):
        conf = loaded(tmp_path, f"[nginx]\n{option} = {value}\n")
        with pytest.raises(cfg.ConfigFileValueError, match=option):
            site(conf)


FIRST, SECOND = "127.0.0.1:9097", "127.0.0.1:9098"


def test_marks_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "pratai.conf"
    made = site(loaded(tmp_path))
    path.write_text(made)
    path.chmod(0o644)
    marks = Site(path)
    assert marks.down() == []
    marks.mark(SECOND, down=True)
    marks.mark(SECOND, down=True)
    assert marks.down() == [SECOND]
    assert f"server {SECOND} max_fails=1 fail_timeout=1s down;" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644
    marks.mark(FIRST, down=True)
    assert marks.down() == [FIRST, SECOND]
    for address in (FIRST, SECOND):
        marks.mark(address, down=False)
    assert path.read_text() == made


def test_a_file_without_the_server_is_not_marked(tmp_path: Path) -> None:
    path = tmp_path / "pratai.conf"
    path.write_text("server {\n    listen 1;\n}\n")
    with pytest.raises(RollError, match=f"names no server {FIRST}"):
        Site(path).mark(FIRST, down=True)
    with pytest.raises(RollError, match="site_path cannot be read"):
        Site(tmp_path / "none").down()


def commands(conf: cfg.ConfigOpts, arguments: list[str]) -> dict[str, str]:
    settings = supervisor_settings(conf, arguments)
    names = [each for each in settings.sections() if each.startswith("program:")]
    return {name.removeprefix("program:"): settings[name]["command"] for name in names}


def test_an_instance_has_a_file_of_its_own(tmp_path: Path) -> None:
    conf = loaded(tmp_path, "[launcher]\nprograms = pratai-collector, pratai-api@2\n")
    arguments = ["--config-file", str(tmp_path / "pratai.conf"), "--debug"]
    made = commands(conf, arguments)
    assert list(made) == ["pratai-collector", "pratai-api@2"]
    assert made["pratai-collector"].endswith('pratai.conf" "--debug"')
    own = f'"--debug" "--config-file" "{tmp_path}/pratai-api@2.conf"'
    assert made["pratai-api@2"].split('" ', 1)[0].endswith("/pratai-api")
    assert made["pratai-api@2"].endswith(own)


def test_what_was_found_by_itself_is_named_for_an_instance(tmp_path: Path) -> None:
    """Its own file alone would hide it."""
    conf = loaded(tmp_path, "[launcher]\nprograms = pratai-api@2\n")
    [command] = commands(conf, []).values()
    files = re.findall('"--config-file" "([^"]*)"', command)
    assert files == [str(tmp_path / name) for name in ("pratai.conf", "pratai-api@2.conf")]
