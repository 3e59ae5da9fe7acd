"""A tenant with 100,000 requests, and how many of them begin while somebody else's waits."""

from collections.abc import Iterator

from msgspec.structs import replace

from pratai_common.clock import now_ms
from pratai_common.records import Body, Request, Status
from pratai_common.store.base import NewRequest, Page, RequestFilter, Store

NUMBER = 100_000
PROJECT = FUNCTION = "big"
_IN_A_WRITE = 1000
_ONE = Body.inline(b"1")
_DAY_MS = 24 * 3600 * 1000


def fill(store: Store, like: str) -> None:
    """Give a project a function of its own, like one that is built, and all of its requests; no
    hint tells of them, and each is due before all that comes later.
    """
    (version,) = store.list_versions(like)
    store.create_version(replace(version, function_id=FUNCTION, project_id=PROJECT))
    model = store.get_functions([like])[like]
    store.create_function(replace(model, function_id=FUNCTION, project_id=PROJECT))
    now = now_ms()
    for start in range(0, NUMBER, _IN_A_WRITE):
        numbers = range(start, start + _IN_A_WRITE)
        store.create_requests([NewRequest(_request(each, now), _ONE) for each in numbers])


def begun(store: Store) -> Iterator[Request]:
    """Yield those of its requests that have begun."""
    running = store.running_requests(_IN_A_WRITE)
    yield from (each for each in running if each.project_id == PROJECT)
    which, page = RequestFilter(status=Status.SUCCESS), Page(_IN_A_WRITE, descending=False)
    while found := store.list_requests(PROJECT, which, page):
        yield from found
        page = page._replace(marker=found[-1].request_id)


def passed(store: Store, request: Request) -> int:
    """Return how many of its requests began while another one waited that has begun since."""
    began = (each.started_at or 0 for each in begun(store))
    return sum(request.created_at <= each <= (request.started_at or 0) for each in began)


def _request(number: int, now: int) -> Request:
    return Request(
        request_id=f"big{number:06}",
        function_id=FUNCTION,
        project_id=PROJECT,
        user_id="u",
        source="http",
        created_at=now - NUMBER + number,
        next_run_at=now - NUMBER + number,
        expires_at=now + _DAY_MS,
    )
