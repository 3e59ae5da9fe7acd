"""What functions see of what is published on an event."""

from tests.functional.test_events import create, publish, subscriber
from tests.packages import package
from tests.stack import Stack

SEEN = package(
    """
    from pratai import context

    def main(payload=None):
        return {"payload": payload, "event": context.event, "source": context.source}
    """
)
ORDER = {
    "specversion": "1.0", "id": "o-1", "source": "/shop", "type": "order.paid", "subject": "ö",
    "time": "2026-01-02T03:04:05Z", "lane": "left", "data": {"total": 12, "items": [{"n": 1}]},
}  # fmt: skip


def test_each_function_sees_what_is_published_once(stack: Stack, still_fine: None) -> None:
    event = create(stack, "orders")
    functions = {subscriber(stack, event, SEEN), subscriber(stack, event, SEEN)}
    mode = "application/cloudevents+json"
    sent = publish(stack, event, ORDER, mode)
    assert publish(stack, event, ORDER, mode) == sent
    binary = {f"ce-{name}": str(value) for name, value in ORDER.items() if name != "data"}
    binary["ce-subject"] = "%C3%B6"
    assert publish(stack, event, ORDER["data"], "application/json", **binary) == sent
    batch = [ORDER, {**ORDER, "id": "o-2"}]
    both = publish(stack, event, batch, "application/cloudevents-batch+json")
    assert (both[:2], len(both)) == (sent, 4)
    attributes = {name: value for name, value in ORDER.items() if name != "data"}
    ended = [stack.ended(each) for each in sent]
    assert {each["function_id"] for each in ended} == functions
    for each in ended:
        seen = {"payload": ORDER["data"], "event": attributes, "source": "published"}
        assert each["result"] == seen
        assert (each["event"], each["source"]) == (attributes, "published")
    assert {stack.ended(each)["event"]["id"] for each in both[2:]} == {"o-2"}


def test_plain_data_is_published(stack: Stack) -> None:
    event = create(stack, "plain")
    subscriber(stack, event, SEEN)
    for content, content_type, payload in (
        (b'{"a": [1.50]}', "application/json", {"a": [1.5]}),
        ("täxt".encode(), "text/plain", "täxt"),
    ):
        seen = stack.ended(publish(stack, event, content, content_type)[0])["result"]
        assert (seen["payload"], seen["event"]["type"]) == (payload, "pratai.published")
        assert seen["event"]["datacontenttype"] == content_type
