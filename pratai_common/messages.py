"""Every message between daemons: typed, versioned, defined here and nowhere else.

On the wire a message is one frame: the protocol's version as one byte, then MessagePack of a
tagged map. A receiver names the types that its inlet takes; anything else is a ``DecodeError``.
What it does not know in a message it passes over, and what a message lacks has its default.
``tests/unit/golden_messages.json`` has golden bytes of each message, and
``golden_messages_previous.json`` those of the version before, which is taken, too: how messages
change so that daemons of two releases understand one another is in
doc/source/contributor/changing-messages.rst.
"""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from pratai_common.decoding import msgpack_decoder
from pratai_common.errors import DecodeError
from pratai_common.records import Body, Request, ResponseHead, SecretUse, Timing

PROTOCOL_VERSION = 4
"""What is sent."""

ACCEPTED_VERSIONS = (3, 4)
_VERSION_BYTE = bytes([PROTOCOL_VERSION])
_ACCEPTED_BYTES = frozenset(bytes([version]) for version in ACCEPTED_VERSIONS)
_encoder = msgspec.msgpack.Encoder()

Milliseconds = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]
"""A time of day until the end of the year 9999, the last one that can be shown."""

Count = Annotated[int, Meta(ge=0, le=2**53)]
Word = Annotated[str, Meta(max_length=64)]
"""Ids, names and addresses. What a node says of itself is bounded: all of it is looked at."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of all messages."""


class AttemptMessage(Message, frozen=True, kw_only=True):
    """What concerns one attempt of one request; ``token`` proves who was given it."""

    request_id: str
    attempt: int
    node: str
    epoch: int
    project_id: str
    token: bytes


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is in no store, as it travels to the collector by way of a node.

    ``record`` is the frame of a ``Submitted``; ``mac`` proves that the scheduler wrote it.
    """

    record: bytes
    mac: bytes


class Submitted(Message, frozen=True, kw_only=True):
    """A request is to be run. With ``recorded`` a hint: it carries the job so that no read is
    needed. Without, it is a synchronous call, and this message is all there is of it.
    """

    request: Request
    input: Body | None = None
    recorded: bool = True


class Cancel(Message, frozen=True, kw_only=True):
    """End a request, or all running ones of a function. A hint: the wish is recorded too.

    To a node it names the request; ``epoch`` is the scheduler's.
    """

    request_id: str | None = None
    function_id: str | None = None
    epoch: int = 0


class FunctionChanged(Message, frozen=True, kw_only=True):
    """A function or its versions changed; what is remembered of it is out of date."""

    function_id: str


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of itself. ``instance`` is new at each start of its process.

    ``running`` are (request_id, attempt, function_id) that take capacity, the last empty for
    a build; ``spooled`` are (request_id, attempt) of results that are not acknowledged. ``slots``
    and ``memory`` (MB) are totals, not what is free. ``epoch`` is the highest that a scheduler has
    told it, 0 for none: it takes nothing of a lower one. ``clock`` is when it said this, by a clock
    of its own that only goes forward. Both are ``None`` where a node knows of neither. ``spares``
    are (function_id, version, how many): containers of that code which wait for an event.
    ``provisions`` says that it gives functions what jobs name beside the code (``secrets_url``):
    an earlier release runs them without.
    """

    node: str
    instance: Word
    address: Word
    ip: Word
    pid: Count
    version: Word
    joined_at: Milliseconds
    slots: Count
    memory: Count
    runtimes: Annotated[dict[Word, Annotated[str, Meta(max_length=256)]], Meta(max_length=64)]
    running: Annotated[tuple[tuple[Word, Count, Word], ...], Meta(max_length=4096)] = ()
    spooled: Annotated[tuple[tuple[Word, Count], ...], Meta(max_length=20_000)] = ()
    draining: bool = False
    dropped_messages: Count = 0
    epoch: Count | None = None
    clock: Count | None = None
    spares: Annotated[tuple[tuple[Word, Count, Count], ...], Meta(max_length=1024)] = ()
    provisions: bool = False


class Hello(Message, frozen=True, kw_only=True):
    """A node has started and takes jobs."""

    state: NodeState


class Heartbeat(Message, frozen=True, kw_only=True):
    """A node lives."""

    state: NodeState


class Bye(Message, frozen=True, kw_only=True):
    """A node has ended on purpose."""

    node: str
    instance: str


class Ended(Message, frozen=True, kw_only=True):
    """The code of an attempt runs no longer, though its container may still take capacity.

    Sent before the result: whoever got that may call again, and is within the limit then.
    """

    node: str
    instance: str
    request_id: str
    attempt: int


class Done(Message, frozen=True, kw_only=True):
    """The capacity that an attempt took is free again."""

    node: str
    instance: str
    request_id: str
    attempt: int


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """Which code an image is made from; ``archive_url`` is where a node gets it, for a time."""

    project_id: str
    function_id: str
    version: int
    runtime: str
    archive_sha256: str
    archive_url: str


class Job(AttemptMessage, frozen=True, kw_only=True):
    """Run this request. ``timeout`` is in seconds, ``memory`` in MB; ``input_url`` is where the
    input is where the message does not hold it. ``take_by`` is until when the node may take it, by
    the node's own clock (``NodeState.clock``). ``spares`` is how many containers of the function
    are to wait for events there, ``None`` for as many as it seems to need. ``counted`` says whether
    the scheduler wants to hear of its end (``Ended``): where the function has a limit. ``secrets``
    are what the function needs, never a value of one, and with ``delegated`` it acts for its owner:
    ``secrets_url`` is where the node gets either. ``trust`` is a digest of the right by which it is
    read: by another one it is to be asked for anew.
    """

    instance: str
    package: Package
    function_name: str
    memory: int
    cpus: float
    timeout: int
    network: str
    isolation: str
    spares: Count | None = None
    environment: dict[str, str]
    source: str
    event: dict[str, Any] | None = None
    created_at: int
    input: Body
    input_url: str | None = None
    counted: bool = True
    ticket: Ticket | None = None
    timing: Timing | None = None
    take_by: int | None = None
    secrets: tuple[SecretUse, ...] = ()
    delegated: bool = False
    secrets_url: str | None = None
    trust: Word | None = None


class Build(AttemptMessage, frozen=True, kw_only=True):
    """Make the image of this version; ``take_by`` as in ``Job``."""

    instance: str
    package: Package
    take_by: int | None = None


class Drain(Message, frozen=True, kw_only=True):
    """Take no more jobs."""

    epoch: int


class Lead(Message, frozen=True, kw_only=True):
    """The scheduler of this epoch acts: take nothing of former ones any more, and say so."""

    epoch: int


class Result(AttemptMessage, frozen=True, kw_only=True):
    """How an attempt ended: ``reason`` is ``None`` for success.

    ``output`` is what ``main`` returned, as JSON text. Times are milliseconds; ``init_ms`` and
    ``run_ms`` are on the node's monotonic clock, ``peak_memory`` is in bytes.
    """

    reason: Word | None = None
    message: str | None = None
    output: Body | None = None
    response: ResponseHead | None = None
    started_at: Milliseconds
    finished_at: Milliseconds
    init_ms: float | None = None
    run_ms: float | None = None
    cold: bool | None = None
    isolation: Word | None = None
    peak_memory: Count | None = None
    log_chunks: Count = 0
    ticket: Ticket | None = None
    timing: Timing | None = None


class LogPiece(AttemptMessage, frozen=True, kw_only=True, tag="LogChunk"):
    """A piece of what an attempt printed."""

    seq: Count
    content: bytes


class Stored(Message, frozen=True, kw_only=True):
    """The result of this attempt is settled; the node may forget it."""

    request_id: str
    attempt: int


class Answer(Message, frozen=True, kw_only=True):
    """How a request ended that an API process waits for; ``reason`` is ``None`` for success."""

    request_id: str
    reason: str | None = None
    message: str | None = None
    output: Body | None = None
    response: ResponseHead | None = None


SchedulerMessage = Submitted | Cancel | FunctionChanged | Hello | Heartbeat | Bye | Ended | Done
AttemptNews = Result | LogPiece
CollectorMessage = AttemptNews | Heartbeat | Bye
NodeMessage = Job | Build | Cancel | Drain | FunctionChanged | Lead | Stored

M = TypeVar("M")


def encode(message: Message) -> bytes:
    """Return the frame of a message."""
    return _VERSION_BYTE + _encoder.encode(message)


class MessageDecoder(Generic[M]):
    """Decodes the frames that one inlet takes; ``types`` is a message class or a union."""

    def __init__(self, types: Any) -> None:
        self._decoder = msgpack_decoder(types)

    def decode(self, frames: list[bytes]) -> M:
        """Return the message in a received frame; raises DecodeError for anything else."""
        if len(frames) != 1:
            raise DecodeError(f"{len(frames)} frames where one was expected")
        frame = frames[0]
        if frame[:1] not in _ACCEPTED_BYTES:
            accepted = " or ".join(f"{version:02x}" for version in ACCEPTED_VERSIONS)
            raise DecodeError(f"protocol version {frame[:1].hex() or 'missing'}, not {accepted}")
        try:
            return self._decoder.decode(memoryview(frame)[1:])  # type: ignore[no-any-return]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DecodeError(str(error)) from error
