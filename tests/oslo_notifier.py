"""Publishes notifications as OpenStack's services do: by oslo.messaging, in a virtual environment
that has it. Each line of the input is one, in JSON; a line is printed once all are published.
"""

import functools
import json
import sys
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_context.context import RequestContext


@functools.cache
def transport(exchange: str) -> Any:
    conf = cfg.ConfigOpts()
    conf([], project="notifier")
    oslo_messaging.set_transport_defaults(exchange)
    return oslo_messaging.get_notification_transport(conf, url=sys.argv[1])


for line in sys.stdin:
    given = json.loads(line)
    notifier = oslo_messaging.Notifier(
        transport(given.get("exchange", "openstack")),
        publisher_id="compute.host1",
        driver=given.get("driver", "messagingv2"),
        topics=[given.get("topic", "notifications")],
    )
    publish = getattr(notifier, given.get("priority", "info"))
    publish(RequestContext(**given.get("context", {})), given["event_type"], given["payload"])
print("published")
