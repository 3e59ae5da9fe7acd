"""No frame is anything but a message of its inlet, or a DecodeError."""

from contextlib import suppress

from pratai_common.errors import DecodeError
from pratai_common.messages import (
    Answer,
    CollectorMessage,
    Message,
    MessageDecoder,
    NodeMessage,
    SchedulerMessage,
    Stored,
    encode,
)
from tests.fuzz.frames import frames
from tests.fuzz.fuzzing import fuzz
from tests.unit.test_messages import ONE_OF_EACH

_DECODERS: list[MessageDecoder[Message]] = [
    MessageDecoder(each) for each in (SchedulerMessage, CollectorMessage, NodeMessage, Answer)
]


@fuzz("messages", frames(), 150)
def test_a_frame_is_a_message_or_malformed(frame: bytes) -> None:
    for decoder in _DECODERS:
        with suppress(DecodeError):
            assert isinstance(decoder.decode([frame]), Message)
        with suppress(DecodeError):
            assert decoder.decode([frame, frame]) is None


@fuzz("messages", frames(Stored(request_id="r", attempt=1)), 50)
def test_what_was_decoded_is_encoded_again(frame: bytes) -> None:
    decoder: MessageDecoder[Stored] = MessageDecoder(Stored)
    with suppress(DecodeError):
        message = decoder.decode([frame])
        assert decoder.decode([encode(message)]) == message


def test_every_message_has_an_inlet() -> None:
    """The control of all of this: what is sound is decoded, by one of them at least."""
    for message in ONE_OF_EACH:
        taken = []
        for decoder in _DECODERS:
            with suppress(DecodeError):
                taken.append(decoder.decode([encode(message)]))
        assert message in taken
