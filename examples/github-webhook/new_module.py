"""Takes GitHub's webhooks: what was pushed becomes a line for people."""

from pratai import context


def main(payload=None):
    """Return what happened; the platform has checked GitHub's signature by then."""
    event = context.event["headers"].get("x-github-event")
    line = LINES.get(event, lambda _: None)(payload)
    if line is None:
        return {"ignored": event}
    print(line)
    return {"told": line}


def ping(payload):
    """GitHub sends this when the webhook is set up."""
    return f"connected: {payload['zen']}"


def push(payload):
    """Commits on a branch."""
    branch = payload["ref"].removeprefix("refs/heads/")
    titles = [each["message"].splitlines()[0] for each in payload["commits"]]
    return f"{payload['pusher']['name']} pushed to {branch}: {'; '.join(titles)}"


LINES = {"ping": ping, "push": push}
