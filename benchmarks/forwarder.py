"""``python -m benchmarks.forwarder FROM TO``: passes messages on, and does nothing else."""

import sys

import zmq


def main() -> None:
    """Forward until the process is ended."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    inlet, outlet = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    inlet.bind(sys.argv[1])
    outlet.connect(sys.argv[2])
    while True:
        outlet.send(inlet.recv())


if __name__ == "__main__":
    main()
