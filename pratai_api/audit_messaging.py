"""Audit events by oslo.messaging; found by its name, since it takes long to import and few need it.

The library brings eventlet in, of which nothing is used here: threads stay threads.
"""

import socket

import oslo_messaging
from oslo_config import cfg

from pratai_api.audit_trails import NotificationTrail


def open_notifications(conf: cfg.ConfigOpts) -> NotificationTrail:
    """Return what sends to the broker of ``[audit]``, which need not be there yet."""
    transport = oslo_messaging.get_notification_transport(conf, url=conf.audit.transport_url)
    notifier = oslo_messaging.Notifier(
        transport,
        publisher_id=f"pratai-api.{socket.gethostname()}",
        driver="messagingv2",
        topics=[conf.audit.topic],
        retry=-1,
    )
    return NotificationTrail(notifier)
