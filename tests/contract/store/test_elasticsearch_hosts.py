"""Hosts of Elasticsearch: those that are not there, lose answers, never answer, or are no such."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from pratai_common.errors import StoreUnavailableError
from pratai_common.records import Request
from pratai_common.store.base import (
    Changed,
    NewRequest,
    RequestChange,
    Store,
)
from pratai_common.store.elasticsearch import ElasticsearchStore
from pratai_common.store.elasticsearch_client import Client, Settings
from pratai_common.store.elasticsearch_indices import Layout
from tests.contract.store.kinds import Elasticsearch
from tests.contract.store.records import (
    body,
    chunk,
    create,
    ids,
    numbered,
    set_to,
    subscription,
    version,
)
from tests.forwarder import Forwarder
from tests.ports import free_port
from tests.records import function, request

TIMES = 6
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def store(own: Elasticsearch) -> Iterator[Store]:
    with closing(own.open()) as opened:
        yield opened


class Forgetful(Forwarder):
    """Passes on what is asked. While it forgets, it breaks the connection in place of passing on
    the answer.
    """

    forgets = True

    def passed_on(self, received: bytes) -> bytes:
        return b"" if self.forgets and received.startswith(b"HTTP/") else received

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def opened(own: Elasticsearch) -> Iterator[Callable[..., ElasticsearchStore]]:
    """Opens the store by hosts of a test's choice."""
    with ExitStack() as stack:

        def open_(*hosts: str, seconds: float = 30.0) -> ElasticsearchStore:
            layout = Layout(own.prefix, 1, 0, 1000)
            made = ElasticsearchStore(Settings(hosts, seconds), layout)
            return stack.enter_context(closing(made))

        yield open_


@pytest.fixture
def forgetful(own: Elasticsearch) -> Iterator[list[Forgetful]]:
    ways = [Forgetful(urlsplit(own.address).port or 0) for _ in range(2)]
    yield ways
    for each in ways:
        each.close()


def test_the_next_host_is_asked_where_one_is_not_there(
    own: Elasticsearch, opened: Callable[..., Store]
) -> None:
    store = opened(f"http://127.0.0.1:{free_port()}", own.address)
    for number in range(TIMES):
        create(store, request(number))
        changed = store.change_requests([set_to(f"r{number:03}", depth=1)])
        assert changed == [request(number, depth=1)]
        assert len(store.get_requests(ids(numbered(*range(TIMES))))) == number + 1


def test_what_was_not_sent_is_sent_to_the_next_host(own: Elasticsearch) -> None:
    """Also what must not be sent twice, by a client that does not know yet who is not there."""
    dead = f"http://127.0.0.1:{free_port()}"
    for hosts in ((dead, own.address), (own.address, dead)):
        for _ in range(TIMES):
            with closing(Client(Settings(hosts, 30.0))) as client:
                client.call("POST", f"/{own.prefix}-*/_refresh")


def test_the_log_of_a_request_is_in_one_shard(own: Elasticsearch) -> None:
    """So no later piece is seen before an earlier one; those of several are spread."""
    prefix = f"{own.prefix}s"
    store = ElasticsearchStore(Settings((own.address,), 30.0), Layout(prefix, 3, 0, 1000))
    try:
        with closing(store):
            store.create_schema()
            store.add_log_chunks([chunk(seq=seq) for seq in range(20)])
            assert _shards_with_documents(own, prefix) == 1
            assert [each.seq for each in store.log_chunks("r001")] == [*range(20)]
            store.add_log_chunks([replace(chunk(), request_id=f"o{each}") for each in range(20)])
            assert _shards_with_documents(own, prefix) == 3
    finally:
        own.call("DELETE", ",".join(own.call("GET", f"{prefix}-*")))
        own.call("DELETE", f"_index_template/{prefix}-*")


def _shards_with_documents(own: Elasticsearch, prefix: str) -> int:
    own.call("POST", f"{prefix}-logs/_refresh")
    shards = own.call("GET", f"_cat/shards/{prefix}-logs?format=json&h=docs")
    return sum(int(each["docs"]) > 0 for each in shards)


def test_what_an_unanswered_write_has_created_is_known_again(
    own: Elasticsearch, opened: Callable[..., Store], forgetful: list[Forgetful]
) -> None:
    store = opened(forgetful[0].url, own.address)
    for number in range(TIMES):
        made = store.create_requests([NewRequest(request(number), body())])
        assert made == [(request(number), True)]
        store.create_function(function(number))
        assert store.create_version(version(number))
        store.create_subscription(subscription(number))
    assert store.create_requests([NewRequest(request(0), body())]) == [(request(0), False)]
    assert not store.create_version(version(0))
    assert len(store.list_versions("f1")) == len(store.subscriptions_of("f1")) == TIMES


def test_an_unanswered_change_is_not_made_twice(
    store: Store, opened: Callable[..., Store], forgetful: list[Forgetful]
) -> None:
    create(store, request(1))

    def forget(yes: bool) -> None:
        for each in forgetful:
            each.forgets = yes

    def apply(old: Request) -> Changed:
        forget(True)
        return Changed(replace(old, depth=old.depth + 1))

    forget(False)
    changing = opened(*(each.url for each in forgetful))
    for times in (1, 2, 3):
        with pytest.raises(StoreUnavailableError):
            changing.change_requests([RequestChange("r001", apply)])
        assert store.get_requests(["r001"])["r001"].depth == times
        forget(False)
    changing.change_requests([set_to("r001", depth=9)])
    assert store.get_requests(["r001"])["r001"].depth == 9


def test_a_host_that_never_answers_is_given_up(opened: Callable[..., Store]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        store = opened(f"http://127.0.0.1:{mute.getsockname()[1]}", seconds=1.0)
        for call in (
            lambda: create(store, request()),
            lambda: store.get_requests(["r001"]),
            store.list_daemons,
            lambda: store.acquire_lease("l", "a", 1, 1),
        ):
            with pytest.raises(StoreUnavailableError, match="timed out"):
                call()


def test_what_is_no_elasticsearch_is_refused(opened: Callable[..., Store]) -> None:
    with (
        Recorder(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}") as other,
        pytest.raises(StoreUnavailableError, match="not Elasticsearch"),
    ):
        opened(other.url).get_requests(["r001"])


class Recorder:
    """Answers everything the same, and keeps what it was sent."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.received = b""

    def __enter__(self) -> "Recorder":
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                self._answer_to(self._listening.accept()[0])

    def _answer_to(self, accepted: socket.socket) -> None:
        with accepted, suppress(ssl.SSLError):
            wrapped = accepted
            if self._tls is not None:
                wrapped = self._tls.wrap_socket(accepted, server_side=True)
            with wrapped:
                self.received += wrapped.recv(1 << 16)
                wrapped.sendall(self._answer)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"username": "pratai", "password": "secret"}, b"Basic cHJhdGFpOnNlY3JldA=="),
        ({"api_key": "a2V5"}, b"ApiKey a2V5"),
        ({}, b""),
    ],
)
def test_it_says_who_it_is(given: dict[str, str], expected: bytes) -> None:
    with (
        Recorder(UNAUTHORIZED) as other,
        closing(Client(Settings((other.url,), 5.0, **given))) as client,
        pytest.raises(StoreUnavailableError, match="401") as refused,
    ):
        client.call("GET", "/")
    sent = dict(
        line.lower().split(b": ", 1) for line in other.received.split(b"\r\n") if b": " in line
    )
    assert sent.get(b"authorization", b"") == expected.lower()
    assert not any(secret in str(refused.value) for secret in given.values())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a certificate of 127.0.0.1 that is its own authority, and its key."""
    path = tmp_path / "certificate.pem"
    name = ["-subj", "/CN=pratai", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *key, *name, "-keyout", path, "-out", tmp_path / "ca.pem"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "ca.pem").read_text())
    return path


def test_hosts_are_verified(certificate: Path) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    with Recorder(UNAUTHORIZED, served) as other:
        url = other.url.replace("http:", "https:")
        for ca_bundle, said in ((str(certificate), "401"), (None, "CERTIFICATE_VERIFY_FAILED")):
            settings = Settings((url,), 5.0, ca_bundle)
            with (
                closing(Client(settings)) as client,
                pytest.raises(StoreUnavailableError, match=said),
            ):
                client.call("GET", "/")
