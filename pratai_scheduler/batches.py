"""What arrived together, without what need not be looked at. Pure."""

from collections.abc import Iterable

from pratai_common.messages import Heartbeat, Hello, SchedulerMessage


def newest(messages: Iterable[SchedulerMessage]) -> list[SchedulerMessage]:
    """Return messages without the words of a node that it has said anew in one of the later ones:
    all of what it has stands in each.
    """
    every = list(messages)
    last = {
        (each.state.node, each.state.instance): number
        for number, each in enumerate(every)
        if isinstance(each, Hello | Heartbeat)
    }
    return [
        each
        for number, each in enumerate(every)
        if not isinstance(each, Hello | Heartbeat)
        or last[each.state.node, each.state.instance] == number
    ]
