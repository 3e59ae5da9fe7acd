"""Returns what came in."""


def main(payload=None):
    return payload
