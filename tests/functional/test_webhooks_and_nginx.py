"""What functions answer, by way of nginx: it changes nothing of it and obeys none of it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import requests

from pratai_api.nginx import site
from pratai_common import conf as configuration
from pratai_common.records import ResponseHead
from tests.services import Service
from tests.unit.api_world import ApiWorld
from tests.unit.client_world import served
from tests.unit.test_hooks import Hook, end


class Before:
    """nginx before an API in the test's own process; ``obeyed`` are headers of what is answered
    beside it, which the API itself would refuse to answer.
    """

    def __init__(self, world: ApiWorld, service: Service) -> None:
        self.world = world
        self.url = f"http://127.0.0.1:{service.port}"
        self.obeyed: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/obeyed":
            return self.world.api.application(environ, start)
        start("200 OK", [("Content-Length", "3"), *self.obeyed])
        return [b"own"]

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        session = requests.Session()
        session.trust_env = False
        with session:
            url = self.url + path
            return session.request(method, url, timeout=60, allow_redirects=False, **arguments)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    world, service = ApiWorld(tmp_path_factory.mktemp("api")), Service("nginx")
    before = Before(world, service)
    try:
        with served(before) as url:
            path = service.folder / "settings.conf"
            path.write_text(
                f"[nginx]\nlisten = 127.0.0.1:{service.port}\napis = {url.partition('//')[2]}\n"
                f"access_log = {service.folder}/access.log\n"
            )
            conf = configuration.load("test", ["--config-file", str(path)])
            (service.folder / "pratai.conf").write_text(site(conf))
            service.start()
            yield before
            service.stop()
    finally:
        service.remove()
        world.close()


STATUSES = (200, 201, 302, 400, 401, 403, 404, 405, 413, 414, 500, 502, 503, 504)


@pytest.mark.parametrize("status", STATUSES)
def test_a_functions_answer_passes_unchanged(nginx: Before, status: int) -> None:
    """None of nginx's own errors takes its place, and 502 and 504 are not sent again."""
    hook = Hook(nginx.world)
    headers = {"Content-Type": "text/html", "WWW-Authenticate": "Basic", "Retry-After": "7"}
    head = ResponseHead(status=status, headers=headers, encoding="text")
    sent = {"headers": {"Idempotency-Key": "k"}, "data": "1"}
    end(hook, hook.post(**sent), b'"<p>mine"', head)
    answer = nginx.call("POST", f"{hook.path}?wait=1", **sent)
    assert (answer.status_code, answer.text) == (status, "<p>mine")
    assert headers.items() <= answer.headers.items()
    assert answer.headers["X-Pratai-Answered-By"] == "function"
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert hook.recorded == 1


def test_the_handshake_of_cloudevents_passes(nginx: Before) -> None:
    asked = {"WebHook-Request-Origin": "events.example.com"}
    answer = nginx.call("OPTIONS", Hook(nginx.world).path, headers=asked)
    assert (answer.status_code, answer.headers["WebHook-Allowed-Origin"]) == (200, "*")


def test_nginx_looks_nowhere_else_for_an_answer(nginx: Before) -> None:
    nginx.obeyed = [("X-Accel-Redirect", "/healthcheck"), ("X-Accel-Limit-Rate", "1")]
    answer = nginx.call("GET", "/obeyed")
    assert (answer.status_code, answer.text) == (200, "own")
    assert "X-Accel-Redirect" not in answer.headers
