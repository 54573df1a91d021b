"""What processes use, by /proc; and the module that starts them."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import stack  # noqa: E402
from stack import TOP, Failure, end, free_port, spawn, wait_until  # noqa: E402, F401

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pids):
    """User and system time of these processes so far."""
    ticks = 0
    for pid in pids:
        fields = stack.stat_fields(pid)
        if fields is None:
            raise Failure("process %d has ended" % pid)
        ticks += int(fields[12]) + int(fields[13])
    return ticks / TICKS_PER_S


def private_kib(pids):
    """The private memory of these processes, without shared pages."""
    sizes = [stack.private_kib(pid) for pid in pids]
    if None in sizes:
        raise Failure("a process has ended")
    return sum(sizes)
