"""``event-*``: named topics that functions subscribe to."""

import json
from argparse import SUPPRESS, ArgumentParser, Namespace
from typing import Any

from prataiclient.commands import arguments
from prataiclient.commands.asking import add_secret, secret
from prataiclient.commands.base import ClientCommand, ListCommand, ShowCommand
from prataiclient.commands.event_settings import add_event_settings, event_settings
from prataiclient.resources import Event, Json, Published

_SETTINGS = ("name", "description", "source", "all_projects", "enabled")


class _EventCommand(ClientCommand):
    """A command on one event."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("event", metavar="EVENT", help="id or name")
        return parser

    def event_id(self, parsed: Namespace) -> str:
        """Return the id of the event that the command line names."""
        return self.client.event(parsed.event).event_id


class EventList(ListCommand):
    """List the project's events, newest first."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        arguments.add_all_projects(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        columns = ("event_id", "name", "source", "status", "created_at")
        found = self.client.events(all_projects=parsed.all_projects)
        return self.rows(arguments.with_project(columns, parsed.all_projects), found, parsed)


class EventShow(_EventCommand, ShowCommand):
    """Show an event, and how its source stands."""

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        event = self.client.event(parsed.event)
        return self.fields(_readable(event) if parsed.formatter == "table" else event, parsed)


class _SettingsCommand(ShowCommand):
    """A command that takes the settings of an event."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--description", default=SUPPRESS, help="for people")
        add_event_settings(parser)
        add_secret(parser, "password", "the password of its source")
        arguments.add_enabled(parser, "it runs functions")
        return parser

    def settings(self, parsed: Namespace) -> Json:
        """Return the settings that the command line has, as the API takes them."""
        found = arguments.given(parsed, _SETTINGS) | event_settings(parsed)
        return found | secret(parsed, "password")


class EventCreate(_SettingsCommand):
    """Make an event, which is published by event-publish or comes from a source."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--source", default=SUPPRESS,
                            help="message, notification, database (published)")  # fmt: skip
        parser.add_argument("--all-projects", action="store_true", default=SUPPRESS,
                            help="tell of all projects; for an administrator")  # fmt: skip
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        return self.fields(self.client.create_event(**self.settings(parsed)), parsed)


class EventUpdate(_EventCommand, _SettingsCommand):
    """Change an event."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--name", default=SUPPRESS)
        parser.add_argument("--no-password", action="store_true", help="forget the password")
        return parser

    def take_action(self, parsed: Namespace) -> tuple[list[str], list[Any]]:
        """See cliff."""
        forgotten = {"password": None} if parsed.no_password else {}
        changes: Json = {**forgotten, **self.settings(parsed)}
        return self.fields(self.client.update_event(self.event_id(parsed), **changes), parsed)


class EventDelete(ClientCommand):
    """Delete events, and the enabled subscriptions to them."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("events", metavar="EVENT", nargs="+", help="id or name")
        return parser

    def take_action(self, parsed: Namespace) -> None:
        """See cliff."""
        for name in parsed.events:
            self.client.delete_event(self.client.event(name).event_id)


class EventPublish(_EventCommand, ListCommand):
    """Publish on an event; list the requests that this causes."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """See cliff."""
        parser = super().get_parser(prog_name)
        arguments.add_payload(parser, cloudevent=True)
        arguments.add_cause(parser)
        return parser

    def take_action(self, parsed: Namespace) -> tuple[tuple[str, ...], Any]:
        """See cliff."""
        caused = [
            {"id": each.id, "request_id": request_id}
            for each in self._publish(parsed).published
            for request_id in each.request_ids
        ]
        return self.rows(("id", "request_id"), caused, parsed)

    def _publish(self, parsed: Namespace) -> Published:
        """Publish what the command line gives; raises RefusedError where that cannot be read."""
        when = parsed.key, parsed.not_before
        if parsed.cloudevent is None:
            data = arguments.payload(parsed)
            return self.client.publish(self.event_id(parsed), data, *when)
        content = arguments.existing(parsed.cloudevent).read_bytes()
        return self.client.publish_cloudevents(self.event_id(parsed), content, *when)


def _readable(event: Event) -> Json:
    """Return an event as people read it: a setting a line, and some lines for each agent."""
    settings = [f"{name}: {json.dumps(value)}" for name, value in event.settings.items()]
    states = [_lines(agent, state) for agent, state in event.source_state.items()]
    return {**event.to_dict(), "settings": "\n".join(settings), "source_state": "\n".join(states)}


def _lines(agent: str, state: Json) -> str:
    received, dead, without_id = state["received"], state["dead"], state["without_id"]
    lines = [
        f"{agent}: {state['state']} since {state['since']}",
        f"{received} received, {without_id} of them without an id; {dead} put aside",
    ]
    if state["error"] is not None:
        lines.append(f"last error, at {state['error_at']}: {state['error']}")
    if state["note"] is not None:
        lines.append(f"note: {state['note']}")
    return "\n  ".join(lines)
