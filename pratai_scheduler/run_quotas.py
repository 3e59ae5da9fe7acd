"""How many runs each project may have at a time. Pure.

That is ``[quota] concurrent_requests``, unless an API process has said otherwise: where Keystone
keeps limits, each request that comes by the API says what its project's was when it was made.
"""

from collections import OrderedDict

from pratai_common.records import Request

UNBOUNDED = -1
_MOST_PROJECTS = 10_000


class RunQuotas:
    """See the module. Below 0 is as many as there is room for."""

    def __init__(self, configured: int = UNBOUNDED) -> None:
        self._configured = configured
        self._said: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def hear(self, request: Request) -> None:
        """Take in what a request says of its project, if it does: the youngest is believed."""
        if request.most_runs is None:
            return
        said = (request.created_at, request.most_runs)
        former = self._said.pop(request.project_id, said)
        self._said[request.project_id] = said if said[0] >= former[0] else former
        if len(self._said) > _MOST_PROJECTS:
            self._said.popitem(last=False)

    def __call__(self, project_id: str) -> int:
        """Return how many runs a project may have."""
        said = self._said.get(project_id)
        return self._configured if said is None else said[1]
