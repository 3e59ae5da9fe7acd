"""What proves to the API that this node was given an attempt."""

import base64

from pratai_common.messages import AttemptMessage, encode


def claim_of(message: AttemptMessage) -> str:
    """Return the claim of the attempt that a message is about, as a header carries it."""
    names = AttemptMessage.__struct_fields__
    claim = AttemptMessage(**{name: getattr(message, name) for name in names})
    return base64.urlsafe_b64encode(encode(claim)).decode()
