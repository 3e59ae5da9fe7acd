"""An API whose function has secrets, and a node that has a job of it."""

import base64
from pathlib import Path
from typing import Any

import requests
from msgspec.structs import replace

from pratai_api.secret_stores.base import Right
from pratai_common.clock import now_ms
from pratai_common.envelopes import Opener
from pratai_common.messages import Job
from pratai_common.records import Attempt, Function, Request, SecretUse, Status
from pratai_drivers.claims import claim_of
from pratai_drivers.secrets_fetching import SecretsFetching
from pratai_drivers.transfers import Transfers
from tests.node_api import NodeApi

MINE = Right("p")
USES = (SecretUse(name="db", file="db"), SecretUse(name="key", environment="KEY"))
WANTED = {"db": b"rec0gnizable", "key": b"s3cret"}


class World:
    """An API that knows a function with secrets, and a node that has a job of it."""

    def __init__(self, folder: Path) -> None:
        self.api = NodeApi(folder)
        self.opener = Opener.ephemeral()
        transfers = Transfers(5.0, pauses=(0.01, 0.01))
        self.fetch = SecretsFetching(transfers, self.opener).fetch
        for name, value in WANTED.items():
            self.api.secrets.put(MINE, name, value)
        self.api.store.create_function(function())

    def job(self, request_id: str = "r", seconds: int = 60, **changes: Any) -> Job:
        expires = now_ms() // 1000 + seconds
        address = self.api.urls.secrets("f", request_id, expires)
        job = replace(self.api.job(request_id, b"zip", b"7"), secrets=USES, secrets_url=address)
        return replace(job, **changes)

    def ask(self, job: Job, **headers: str) -> requests.Response:
        given = {
            "X-Pratai-Claim": claim_of(job),
            "X-Pratai-Key": base64.b64encode(self.opener.public).decode(),
        }
        with requests.Session() as session:
            session.trust_env = False
            return session.get(job.secrets_url or "", headers={**given, **headers}, timeout=60)

    def change(self, **values: Any) -> None:
        self.api.store.change_function("f", lambda old: replace(old, **values))


def function(**values: Any) -> Function:
    given: dict[str, Any] = {
        "function_id": "f",
        "project_id": "p",
        "user_id": "u",
        "name": "f",
        "secrets": USES,
        "created_at": 1,
        "updated_at": 1,
    }
    return Function(**{**given, **values})


def request(**values: Any) -> Request:
    given: dict[str, Any] = {
        "request_id": "r",
        "function_id": "f",
        "project_id": "p",
        "user_id": "u",
        "source": "async",
        "status": Status.RUNNING,
        "attempts": (Attempt(number=1, node="n", epoch=1, started_at=1),),
        "created_at": 1,
        "expires_at": 2**50,
        "next_run_at": 1,
    }
    return Request(**{**given, **values})


def never() -> bool:
    """Say that nothing is given up."""
    return False
