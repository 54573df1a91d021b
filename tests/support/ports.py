"""Ports of the loopback interface for the tests in Python, from the same range as those
of ports_free() in ports.c."""

import random
import socket

FROM, COUNT = 20000, 12000  # below the ports that the kernel assigns itself

# Abstract sockets, whose names reserve a port as long as this process lives.
reserved = []


def free_port():
    """A free port, which no other test gets."""
    while True:
        port = random.randrange(FROM, FROM + COUNT)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0scoring-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        reserved.append(name)
        return port
