"""Uses a package that comes with it, and that pip installs from its folder."""

from importlib.metadata import version

import greeter


def main(payload=None):
    return [greeter.greet(payload), version("greeter")]
