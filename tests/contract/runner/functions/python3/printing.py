"""Prints all the time: when it is imported, in each event, and from a thread that an event left."""

import threading
import time

print("import: an unfinished line", end="")


def chatter() -> None:
    while True:
        print("chatter")
        time.sleep(0.01)


def main(what: str) -> None:
    print(f"event: {what}")
    if what == "leave a thread":
        threading.Thread(target=chatter, daemon=True).start()
