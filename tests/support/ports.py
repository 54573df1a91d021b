"""Ports of the loopback interface, for the tests in Python: as ports_free() of
ports.c, which draws from the same ones."""

import random
import socket

FROM, COUNT = 20000, 12000  # below those that the kernel gives to connections

reserved = []  # by a name each, for as long as this process lives


def free_port():
    """A port that no other test is given."""
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
