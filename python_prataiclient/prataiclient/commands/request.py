"""``request-*``: how events' runs stand, what they returned, what they printed."""

import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import cache
from typing import Any

from prataiclient import chain
from prataiclient.commands import arguments
from prataiclient.commands.base import ClientCommand, ListCommand, RunCommand, ShowCommand
from prataiclient.errors import ClientError, NotFoundError, RefusedError
from prataiclient.resources import FINAL, Json, Request

_MOST_OF_CHAIN = 1000
_STATUSES = FINAL | {"scheduled", "queued", "running"}


class RequestList(ListCommand):
    """List requests, newest first."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--filter", action="append", default=[], metavar="ID_OR_STATUS",
                            help="function, status, or dead for dead letters; may be repeated,"
                            " and all of them hold")  # fmt: skip
        parser.add_argument("--parent", metavar="ID", help="those that its end caused")
        parser.add_argument("--root", metavar="ID", help="those of the chain that it began")
        parser.add_argument("--limit", type=arguments.count, metavar="N", help="the newest N alone")
        arguments.add_all_projects(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("request_id", "function_id", "status", "reason", "created_at", "run_ms")
        found = self.client.requests(
            parsed.limit,
            parent_id=parsed.parent,
            root_id=parsed.root,
            all_projects=parsed.all_projects,
            **self._filters(parsed.filter),
        )
        shown = arguments.with_project(columns, parsed.all_projects)
        return self.rows(shown, found, parsed)

    def _filters(self, wanted: list[str]) -> dict[str, str | bool]:
        """Return what ``--filter`` says, as the API takes it; raises RefusedError."""
        found: dict[str, str | bool] = {}
        for each in wanted:
            name, value = self._filter(each)
            if name in found:
                raise RefusedError(f"--filter {each}: there is another {name.removesuffix('_id')}")
            found[name] = value
        return found

    def _filter(self, wanted: str) -> tuple[str, str | bool]:
        if wanted == "dead":
            return "dead", True
        if wanted in _STATUSES:
            return "status", wanted
        return "function_id", self._function_id(wanted)

    def _function_id(self, name_or_id: str) -> str:
        """Return a function's id. The requests of one that was deleted are listed by its id."""
        try:
            return self.client.function(name_or_id).function_id
        except NotFoundError:
            if not _is_id(name_or_id):
                raise
        return name_or_id


class _RequestCommand(ClientCommand):
    """A command on one request."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("request", metavar="ID")
        return parser


class RequestShow(_RequestCommand, ShowCommand):
    """Show a request with its result, with --tree the chain that it is part of, or with --timing
    where its time went.
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--include-payload", action="store_true")
        what.add_argument("--tree", action="store_true",
                          help="show its chain of requests, from the first one on")  # fmt: skip
        # The openstack program takes --timing for itself.
        what.add_argument("--timing", "--stations", action="store_true",
                          help="show how many milliseconds after its acceptance it was at each"
                          " station")  # fmt: skip
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        if not parsed.tree:
            request = self.client.request(parsed.request, parsed.include_payload).to_dict()
            timing = request.pop("timing", None) or {}
            return self.fields(timing if parsed.timing else request, parsed)
        top = self._chain(parsed.request)
        return (list(top), list(top.values())) if _drawn(parsed) else self.fields(top, parsed)

    def produce_output(self, parsed: Namespace, columns: Sequence[str], data: Sequence[Any]) -> int:
        """Draw a tree where a person reads; see cliff."""
        if not _drawn(parsed):
            return int(super().produce_output(parsed, columns, data))
        top = dict(zip(columns, data, strict=True))
        branches = chain.branches(self.app.stdout.encoding)
        self.stream(chain.drawn(top, parsed.request, branches), self.app.stdout)
        return 0

    def _chain(self, request_id: str) -> Json:
        """Return the chain of a request as a tree."""
        root_id, most = self.client.request(request_id).root_id, _MOST_OF_CHAIN
        root = self._root(root_id)
        oldest = self.client.requests(most + 1, root_id=root_id, sort="created_at:asc")
        others = list(oldest)
        if len(others) > most:
            self.app.stderr.write(f"only the first {most} behind the root are shown\n")
        return chain.tree(root, others[:most], cache(self._name))

    def _root(self, request_id: str) -> Request:
        try:
            return self.client.request(request_id)
        except NotFoundError as error:
            message = f"{request_id}, which began the chain, is no longer kept"
            raise NotFoundError(f"{message}: request-list --root lists the others") from error

    def _name(self, function_id: str) -> str:
        """Return a function's name, or the id of one that was deleted."""
        try:
            return self.client.function(function_id).name
        except NotFoundError:
            return function_id


class RequestLogs(_RequestCommand):
    """Print what a request printed."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--follow", action="store_true", help="until the request has ended")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        if parsed.follow:
            self.stream(self.client.follow_request_log(parsed.request), self.app.stdout)
        else:
            log = self.client.request_log(parsed.request)
            self.app.stdout.write(log.decode(errors="replace"))


class RequestCancel(ClientCommand):
    """Cancel requests that have not ended."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("requests", metavar="ID", nargs="+")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for request_id in parsed.requests:
            self.client.cancel_request(request_id)


class RequestReplay(RunCommand, ListCommand):
    """Run requests that have ended once more, as new requests; list these."""

    _failure: ClientError | None = None

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("requests", metavar="ID", nargs="+")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        if parsed.wait and len(parsed.requests) > 1:
            raise RefusedError("--wait goes with one request only")
        made: list[Json] = []
        for request_id in parsed.requests:
            try:
                made.append(self._replay(request_id, parsed))
            except ClientError as error:
                if not made:
                    raise
                self._failure = error
                break
        columns = ("replay_of", "request_id", "result")
        return self.rows(columns if parsed.wait else columns[:2], made, parsed)

    def produce_output(self, parsed: Namespace, columns: Sequence[str], data: Any) -> int:
        """Show what was replayed before a failure, and fail then; see cliff."""
        super().produce_output(parsed, columns, data)
        if self._failure is not None:
            raise self._failure
        return 0

    def _replay(self, request_id: str, parsed: Namespace) -> Json:
        made = self.client.replay_request(request_id)
        return {"replay_of": request_id, "request_id": made, **self.result(made, parsed)}


def _drawn(parsed: Namespace) -> bool:
    return bool(parsed.tree) and parsed.formatter == "table"


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
