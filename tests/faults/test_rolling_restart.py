"""The API processes behind nginx are started anew under load, and no request fails."""

import itertools
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from pratai_api.connections import listeners
from tests.front import Front
from tests.packages import ECHO
from tests.waiting import until

TOO_LARGE = {"memory": 8192}
"""A function of which no run finds room on the node."""


@pytest.fixture(autouse=True)
def whole(front: Front) -> None:
    """Others may have killed one: each API runs, gunicorn and its worker."""
    until(lambda: all(len(listeners(port)) == 2 for port in front.apis), "all API processes run")


class Load:
    """Callers who go on calling, each on a connection of its own; ``failures`` says what came
    that should not have.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._event = front.function(ECHO)
        self._call = front.function(ECHO, type="wait_for_response")
        self._ended = threading.Event()
        self._numbers = itertools.count()
        self.accepted: set[str] = set()
        self.returned = 0
        self.failures: list[str] = []

    @contextmanager
    def going_on(self) -> Iterator["Load"]:
        callers = [self._submit, self._wait]
        threads = [threading.Thread(target=self._repeat, args=(each,)) for each in callers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _repeat(self, call: Any) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._ended.is_set():
                try:
                    call(session, next(self._numbers))
                except requests.RequestException as error:
                    self.failures.append(repr(error))

    def _post(self, session: requests.Session, function: str, number: int) -> requests.Response:
        url = f"{self._front.url}/v1/functions/{function}"
        close = {"Connection": "close"}
        return session.post(url, json={"payload": number}, headers=close, timeout=60)

    def succeeded(self) -> set[str]:
        """Return the events that were run, and ended well, in one attempt."""
        query, found = f"/v1/requests?function_id={self._event}&status=success&limit=1000", set()
        marker = ""
        while marker is not None:
            page = self._front.get(query + marker)
            found |= {each["request_id"] for each in page["requests"] if len(each["attempts"]) == 1}
            marker = page["next"] and f"&marker={page['next']}"
        return found

    def _submit(self, session: requests.Session, number: int) -> None:
        answer = self._post(session, self._event, number)
        if answer.status_code == 202:
            self.accepted.add(answer.json()["request_id"])
        else:
            self.failures.append(f"{answer.status_code} {answer.text}")

    def _wait(self, session: requests.Session, number: int) -> None:
        answer = self._post(session, self._call, number)
        if answer.status_code == 200 and answer.json() == number:
            self.returned += 1
        else:
            self.failures.append(f"{answer.status_code} {answer.text}")


class Follower:
    """Somebody who follows the log of a request that does not end."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.request_id = front.submit(front.function(ECHO, **TOO_LARGE))
        # nginx keeps no idle connections from before, so that the one that is open is this.
        front.reload()
        until(lambda: not front.connected(), "no connection is open")
        path = f"{front.url}/v1/requests/{self.request_id}/logs?follow=true"
        self._answer = front.session.get(path, stream=True, timeout=(5, None))
        [self.api] = front.connected()

    def ends_well(self) -> bool:
        """Cancel the request, and say whether the log ends as it should: no error, whole."""
        assert self._front.call("DELETE", f"/v1/requests/{self.request_id}").status_code == 202
        return self._answer.status_code == 200 and self._answer.content == b""


def test_no_request_fails(front: Front) -> None:
    before = [listeners(port) for port in front.apis]
    load, follower = Load(front), Follower(front)
    with load.going_on():
        until(lambda: load.accepted and load.returned, "calls come")
        roll = front.roll()
        until(lambda: front.marked() == [follower.api], "it waits for the log to end")
        seen = len(load.accepted), load.returned
        until(lambda: len(load.accepted) > seen[0] + 9, "the others take the events")
        until(lambda: load.returned > seen[1] + 9, "and the calls")
        assert listeners(follower.api) == before[front.apis.index(follower.api)]
        assert follower.ends_well()
        output, _ = roll.communicate()
        assert roll.returncode == 0, output
    assert load.failures == []
    assert front.marked() == []
    after = [listeners(port) for port in front.apis]
    assert all(now and not now & then for now, then in zip(after, before, strict=True))
    until(lambda: load.succeeded() == load.accepted, "all that was accepted has run")


def test_a_roll_that_was_interrupted_is_begun_again(front: Front) -> None:
    follower = Follower(front)
    roll = front.roll()
    until(lambda: front.marked() == [follower.api], "it waits for the log to end")
    again = front.roll()
    output, _ = again.communicate()
    assert (again.returncode, output) == (1, "another roll is at work\n")
    roll.send_signal(signal.SIGKILL)
    roll.communicate()
    assert follower.ends_well()
    before = [listeners(port) for port in front.apis]
    roll = front.roll()
    output, _ = roll.communicate()
    assert roll.returncode == 0, output
    assert front.marked() == []
    assert not set().union(*before) & set().union(*map(listeners, front.apis))


def test_the_last_that_answers_is_not_taken_away(front: Front) -> None:
    for number in (2, 3):
        front.halt_api(number)
    roll = front.roll()
    output, _ = roll.communicate()
    for number in (2, 3):
        front.signal_api(number, signal.SIGCONT)
    first = f"127.0.0.1:{front.apis[0]}"
    assert roll.returncode == 1
    assert output == f"{first} is not taken away: no other API process answers\n"
    assert front.marked() == []


def test_what_nginx_refuses_is_not_put_in_force(front: Front) -> None:
    before = [listeners(port) for port in front.apis]
    text = front.site_path.read_text()
    front.site_path.write_text(text + "nonsense;\n")
    roll = front.roll()
    output, _ = roll.communicate()
    assert roll.returncode == 1
    assert output.startswith("nginx -t: ")
    assert 'unknown directive "nonsense"' in output
    assert [listeners(port) for port in front.apis] == before
    assert front.call("GET", "/v1/functions").ok
    front.write_site()
