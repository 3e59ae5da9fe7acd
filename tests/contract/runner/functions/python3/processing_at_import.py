"""Starts a process when it is imported."""

import subprocess

HELPER = subprocess.Popen(["/bin/sleep", "1000"])


def main(payload: object = None) -> object:
    return payload
