"""What stands around the API: oslo.middleware, as configured, and nothing else."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from oslo_middleware import RequestId
from werkzeug.test import Client

from pratai_api import keystone_options, middleware_options, options, pipeline

REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OURS = "https://dashboard.example"


def configured(text: str, folder: Path) -> cfg.ConfigOpts:
    path = folder / "pratai.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    middleware_options.register(conf)
    keystone_options.register(conf)
    conf([], default_config_files=[str(path)], default_config_dirs=[])
    return conf


def application(seen: list[dict[str, Any]]) -> pipeline.Application:
    """Return an application that notes what reaches it."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pratai-Request-Id", "r")])
        return [b"ok"]

    return answer


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    return []


def test_what_is_switched_off_is_not_in_the_path(
    seen: list[dict[str, Any]], tmp_path: Path
) -> None:
    inner = application(seen)
    wrapped = pipeline.wrap(inner, configured("", tmp_path))
    assert isinstance(wrapped, RequestId)
    assert wrapped.application is inner


def test_each_http_request_has_an_id(seen: list[dict[str, Any]], tmp_path: Path) -> None:
    client = Client(pipeline.wrap(application(seen), configured("", tmp_path)))
    ids = [client.get("/").headers["X-Openstack-Request-Id"] for _ in range(2)]
    assert [each["openstack.request_id"] for each in seen] == ids
    assert all(REQUEST_ID.fullmatch(each) for each in ids)
    assert len(set(ids)) == 2


def test_a_callers_id_is_noted_beside_its_own(seen: list[dict[str, Any]], tmp_path: Path) -> None:
    client = Client(pipeline.wrap(application(seen), configured("", tmp_path)))
    theirs = "req-01234567-89ab-cdef-0123-456789abcdef"
    answer = client.get("/", headers={"X-Openstack-Request-Id": theirs})
    assert answer.headers["X-Openstack-Request-Id"] != theirs
    client.get("/", headers={"X-Openstack-Request-Id": "req-1; or something else"})
    noted = [each.get("openstack.global_request_id") for each in seen]
    assert noted == [theirs, None]


def test_headers_of_a_proxy(seen: list[dict[str, Any]], tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    for text in ("", "[oslo_middleware]\nenable_proxy_headers_parsing = true\n"):
        client = Client(pipeline.wrap(application(seen), configured(text, tmp_path)))
        assert client.get("/", headers=forwarded).status_code == 200
    schemes = [(each["wsgi.url_scheme"], each.get("REMOTE_ADDR")) for each in seen]
    assert schemes == [("http", None), ("https", "192.0.2.7")]


def test_other_origins(seen: list[dict[str, Any]], tmp_path: Path) -> None:
    conf = configured(f"[cors]\nallowed_origin = {OURS}\n", tmp_path)
    client = Client(pipeline.wrap(application(seen), conf))
    wanted = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "X-Auth-Token,Idempotency-Key",
    }
    asked = client.options("/", headers={"Origin": OURS, **wanted})
    assert asked.headers["Access-Control-Allow-Origin"] == OURS
    assert asked.headers["Access-Control-Allow-Methods"] == "PATCH"
    answer = client.get("/", headers={"Origin": OURS})
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    exposed = answer.headers["Access-Control-Expose-Headers"].split(",")
    assert {"X-Openstack-Request-Id", "X-Pratai-Request-Id"} <= set(exposed)
    for headers in ({"Origin": "https://elsewhere.example"}, {}):
        assert "Access-Control-Allow-Origin" not in client.get("/", headers=headers).headers


def test_an_api_is_drained_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "drain"
    text = f"[healthcheck]\nbackends = disable_by_file\ndisable_by_file_path = {file}\n"
    health = pipeline.Health(configured(text, tmp_path))
    assert health.ailments(9096) == []
    file.touch()
    assert health.ailments(9096) == ["DISABLED BY FILE"]
    file.unlink()
    assert health.ailments(9096) == []


def test_a_check_that_is_not_there_is_not_overlooked(tmp_path: Path) -> None:
    conf = configured("[healthcheck]\nbackends = no_such_check\n", tmp_path)
    with pytest.raises(ValueError, match="there is no no_such_check"):
        pipeline.Health(conf)


def test_our_defaults_stand_in_the_sample_and_hold(tmp_path: Path) -> None:
    conf = configured("", tmp_path)
    for group, opts in options.list_opts():
        for opt in opts:
            if opt.dest in conf[group]:
                assert conf[group][opt.dest] == opt.default
    assert conf.keystone_authtoken.token_cache_time == 60
