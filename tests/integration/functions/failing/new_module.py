"""Fails in the way it is told to."""

import sys


class OutOfStockError(Exception):
    pass


def main(payload=None):
    if payload == "raise":
        raise OutOfStockError("no tea left")
    if payload == "exit":
        sys.exit(2)
    if payload == "hang":
        while True:
            pass
    return {payload}
