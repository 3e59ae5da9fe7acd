"""Where the events of a source come from: the shape of ``settings``, by source.

The API checks what it is given with these, and the agent's sources read them. A plug-in's own
stands under its name in the entry points ``pratai.event_settings``. A password is none of them: it
is sealed beside them.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=255)]
QueueName = Annotated[str, Meta(min_length=1, max_length=243)]
"""So that ``.pratai-dead`` may follow it."""

Port = Annotated[int, Meta(ge=1, le=65535)]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of the settings of a source; ``takes_password`` says whether one may go with them."""

    takes_password: ClassVar[bool] = False


class MessageSettings(Settings, frozen=True, kw_only=True):
    """A queue of an AMQP broker. With ``exchange`` a queue of the event's own is bound to that, for
    messages whose routing key matches ``routing_key``; else ``queue`` is read, which is there.

    A message that could not be taken ``max_deliveries`` times is put aside, into the queue that is
    named as the one it came from and ends in ``.pratai-dead``.
    """

    takes_password: ClassVar[bool] = True
    host: Name
    port: Port = 5672
    virtual_host: Name = "/"
    username: Name = "guest"
    tls: bool = False
    queue: QueueName | None = None
    exchange: Name | None = None
    routing_key: Name = "#"
    max_deliveries: Annotated[int, Meta(ge=1, le=100)] = 3

    def __post_init__(self) -> None:
        if (self.queue is None) == (self.exchange is None):
            raise ValueError("either queue or exchange is needed")


class NotificationSettings(Settings, frozen=True, kw_only=True):
    """OpenStack's notifications on the operator's broker: those of ``exchange`` and ``topic`` whose
    event type matches ``event_type``, a pattern as file names have (``compute.instance.*``).
    """

    event_type: Name
    exchange: Name = "openstack"
    topic: Name = "notifications"
    priorities: Annotated[
        tuple[Literal["audit", "debug", "info", "warn", "error", "critical", "sample"], ...],
        Meta(min_length=1, max_length=7),
    ] = ("info", "warn", "error")


class DatabaseSettings(Settings, frozen=True, kw_only=True):
    """Changes of rows in a PostgreSQL database: of ``tables`` (``schema.table``), or of all where
    none is named, and of ``operations``.
    """

    takes_password: ClassVar[bool] = True
    host: Name
    port: Port = 5432
    database: Name
    username: Name
    sslmode: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
    tables: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    operations: Annotated[tuple[Literal["insert", "update", "delete"], ...], Meta(min_length=1)] = (
        "insert",
        "update",
        "delete",
    )
