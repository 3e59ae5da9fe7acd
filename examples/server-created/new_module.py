"""Tells somebody when a server of the project was created: runs on Nova's own notification."""

import json
import os
import urllib.request


def main(payload=None):
    """Return the text; it is sent to the chat whose webhook is in ``CHAT_URL``, if that is set."""
    text = described(payload["payload"])
    print(text)
    address = os.environ.get("CHAT_URL")
    if address:
        tell(address, text)
    return {"text": text, "told": bool(address)}


def described(server):
    """Return what people want to know of a server, of what Nova tells."""
    addresses = ", ".join(each["address"] for each in server.get("fixed_ips", []))
    return (
        f"{server['display_name']} ({server['instance_type']}) is {server['state']}"
        f" at {addresses or 'no address'}"
    )


def tell(address, text):
    """Post a message, as Mattermost, Slack and others take it; raises OSError."""
    request = urllib.request.Request(
        address,
        json.dumps({"text": text}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):
        pass
