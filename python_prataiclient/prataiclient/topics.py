"""What the client does with events, and with functions' subscriptions to them."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Unpack

from prataiclient import resources
from prataiclient.errors import NotFoundError
from prataiclient.rest import Rest, key_header, moment, path_of
from prataiclient.settings import EventSettings, SubscriptionSettings


class Topics:
    """A part of the client, which see."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    # Subscriptions

    def subscriptions(self, function_id: str) -> Iterator[resources.Subscription]:
        """Yield a function's subscriptions, oldest first."""
        path = path_of("functions", function_id, "subscriptions")
        return self._rest.pages(resources.Subscription, path, "subscriptions", {})

    def create_subscription(
        self, function_id: str, **settings: Unpack[SubscriptionSettings]
    ) -> resources.Subscription:
        """Subscribe a function to an event; ``kind`` is needed."""
        path = path_of("functions", function_id, "subscriptions")
        return resources.Subscription(self._rest.send("POST", path, settings))

    def update_subscription(
        self, function_id: str, subscription_id: str, **changes: Unpack[SubscriptionSettings]
    ) -> resources.Subscription:
        """Change a subscription."""
        path = path_of("functions", function_id, "subscriptions", subscription_id)
        return resources.Subscription(self._rest.send("PATCH", path, changes))

    def delete_subscription(self, function_id: str, subscription_id: str) -> None:
        """Delete a subscription."""
        path = path_of("functions", function_id, "subscriptions", subscription_id)
        self._rest.call("DELETE", path)

    # Events

    def events(
        self, name: str | None = None, all_projects: bool = False
    ) -> Iterator[resources.Event]:
        """Yield the project's events, newest first; an administrator may see all projects'."""
        query = {"name": name, "all_projects": all_projects}
        return self._rest.pages(resources.Event, "/v1/events", "events", query)

    def event(self, name_or_id: str) -> resources.Event:
        """Return the event with this id, or this name."""
        try:
            return resources.Event(self._rest.json("GET", path_of("events", name_or_id)))
        except NotFoundError:
            for event in self.events(name=name_or_id):
                return event
            raise

    def create_event(self, **settings: Unpack[EventSettings]) -> resources.Event:
        """Make an event; ``name`` is needed."""
        return resources.Event(self._rest.send("POST", "/v1/events", settings))

    def update_event(self, event_id: str, **changes: Unpack[EventSettings]) -> resources.Event:
        """Change an event; ``settings`` are replaced as a whole."""
        return resources.Event(self._rest.send("PATCH", path_of("events", event_id), changes))

    def delete_event(self, event_id: str) -> None:
        """Delete an event, and the enabled subscriptions to it."""
        self._rest.call("DELETE", path_of("events", event_id))

    def publish(
        self,
        event_id: str,
        data: Any = None,
        key: str | None = None,
        not_before: datetime | None = None,
    ) -> resources.Published:
        """Publish data, which is anything that is JSON, on an event.

        ``key`` is an Idempotency-Key. What this causes runs at ``not_before`` (with a zone) at the
        earliest.
        """
        body = json.dumps(data).encode()
        return self._publish(event_id, body, "application/json", key, not_before)

    def publish_cloudevents(
        self,
        event_id: str,
        content: bytes,
        key: str | None = None,
        not_before: datetime | None = None,
    ) -> resources.Published:
        """Publish a CloudEvent in JSON, or a list of them, as it is: each runs a function once."""
        batch = "-batch" if content.lstrip().startswith(b"[") else ""
        content_type = f"application/cloudevents{batch}+json"
        return self._publish(event_id, content, content_type, key, not_before)

    def _publish(
        self,
        event_id: str,
        body: bytes,
        content_type: str,
        key: str | None,
        not_before: datetime | None,
    ) -> resources.Published:
        headers = {"Content-Type": content_type, **key_header(key)}
        query = {} if not_before is None else {"not_before": moment(not_before)}
        path = path_of("events", event_id)
        answer = self._rest.json("POST", path, data=body, headers=headers, params=query)
        return resources.Published(answer)
