"""Starts and ends processes, and reads from /proc what they use."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from ports import free_port  # noqa: E402, F401

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
POLL_S = 0.05
STOP_LIMIT_S = 30


class Failure(Exception):
    """The run is void; the text describes the reason."""


def wait_until(check, limit_s, what):
    end = time.monotonic() + limit_s
    while not check():
        if time.monotonic() > end:
            raise Failure(what)
        time.sleep(POLL_S)


def spawn(command, log, **options):
    """Starts a process that the kernel ends when this process ends."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM"] + command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            **options
        )


def end(process):
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stat_fields(pid):
    """The command of /proc/PID/stat, and the fields after it."""
    with open("/proc/%d/stat" % pid) as file:
        text = file.read()
    opening, closing = text.index("("), text.rindex(")")
    return text[opening + 1 : closing], text[closing + 2 :].split()


def cpu_s(pids):
    """User and system time of these processes so far."""
    ticks = 0
    for pid in pids:
        try:
            _, fields = stat_fields(pid)
        except OSError:
            raise Failure("process %d has ended" % pid) from None
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_S


def private_kib(pids):
    """The private memory of these processes, without shared pages."""
    total = 0
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            for line in file:
                if line.startswith("Private_"):
                    total += int(line.split()[1])
    return total


def descendants(root):
    """pid -> command, of all living descendants of a process."""
    children, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            name, fields = stat_fields(int(entry))
        except OSError:
            continue
        names[int(entry)] = name
        children.setdefault(int(fields[1]), []).append(int(entry))
    found, waiting = {}, [root]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            found[pid] = names[pid]
            waiting.append(pid)
    return found
