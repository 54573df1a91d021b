#!/usr/bin/python3
"""Starts the servers that the tests in Python and shell need: deploy/run.sh, and Redis.
All listen on loopback or on unix sockets. Also reads their processes from /proc. The
rows in C have support/stack.c: they start hundreds of stacks, each of which would have
to wait for an interpreter.

    stack.py BINARY [SETTING=VALUE...] -- COMMAND...

runs the command while a stack with these settings runs, and exits with its status; the
text {} becomes the stack's URL."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ports import free_port

TOP = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60
STOP_LIMIT_S = 30
TICK_S = 0.05
# Settings of the caller, which must not affect a stack, begin with these.
SETTINGS = ("SCORING_", "REDIS_", "HTTP", "TLS_", "METRICS_", "RUN_", "TRUSTED_PROXIES")


class Failure(Exception):
    """A server did not start or behave as expected."""


def wait_until(check, limit_s, what):
    end_s = time.monotonic() + limit_s
    while not check():
        if time.monotonic() > end_s:
            raise Failure(f"{what} within {limit_s} s")
        time.sleep(TICK_S)


# --- processes

def spawn(command, log, at_death="TERM", **options):
    """Starts a process, to which the kernel sends a signal when this process ends."""
    with open(log, "wb") as out:
        return subprocess.Popen(["setpriv", "--pdeathsig", at_death, *command],
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                start_new_session=True, **options)


def end(process):
    """Ends a process; returns whether it has ended in order."""
    if process is None:
        return False
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        return process.wait(STOP_LIMIT_S) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def stat_fields(pid):
    """The command of /proc/PID/stat, and the fields after it; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1:].rsplit(")", 1)
    return [name] + rest.split()


def name_of(pid):
    fields = stat_fields(pid)
    return fields[0] if fields else None


def children(pid):
    """The children of a process that live, without zombies."""
    found = []
    for entry in os.listdir("/proc"):
        fields = stat_fields(entry) if entry.isdigit() else None
        if fields and fields[1] != "Z" and int(fields[2]) == pid:
            found.append(int(entry))
    return found


def private_kib(pid):
    """The private resident memory of a process; None if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def descriptors(pid, run_dir):
    """The number of open descriptors, without connections from nginx, whose number
    varies."""
    path = str(run_dir / "scoring.sock")
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    inodes = {row[6] for row in rows if row[-1] == path}
    ours = 0
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    for name in names:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        ours += target.removeprefix("socket:[").rstrip("]") not in inodes
    return ours


# --- Redis

def command_bytes(parts):
    out = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = part.encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


def parse(lines):
    """Reads one reply; raises ValueError for an error."""
    head = lines.readline()
    if not head.endswith(b"\r\n"):
        raise OSError("the server has gone")
    kind, rest = head[:1], head[1:-2].decode()
    if kind == b"*":
        return [parse(lines) for _ in range(int(rest))]
    if kind == b"$":
        if rest == "-1":
            return None
        return lines.read(int(rest) + 2)[:-2].decode()
    if kind == b"-":
        raise ValueError(rest)
    return int(rest) if kind == b":" else rest


def reply(lines, may_fail):
    try:
        return parse(lines)
    except ValueError as fault:
        if may_fail:
            return fault
        raise


class Redis:
    """A redis-server on a unix socket, or on a port, with these lines of redis.conf; it
    may be a sentinel. At each start it loads what SAVE has saved."""

    limit_s = START_LIMIT_S  # for a reply

    def __init__(self, folder, settings='save ""\n', *arguments, port=0, password=""):
        self.folder, self.port, self.password = Path(folder), port, password
        self.folder.mkdir(parents=True)
        self.socket = str(self.folder / "redis.sock")
        self.url = f"redis://127.0.0.1:{port}" if port else f"unix://{self.socket}"
        place = "bind 127.0.0.1" if port else f"unixsocket {self.socket}"
        self.config = self.folder / "redis.conf"
        self.config.write_text(f"port {port}\n{place}\ndir {self.folder}\n"
                               f"logfile {self.folder}/log\n" + settings)
        self.command = ["redis-server", str(self.config), *arguments]
        self.process = None

    def launch(self):
        Path(self.socket).unlink(missing_ok=True)
        # TERM would not end one that is frozen.
        self.process = spawn(self.command, self.folder / "output", "KILL")

    def start(self):
        self.launch()
        wait_until(self.is_up, START_LIMIT_S, f"{self.config} does not answer")

    def is_up(self):
        try:
            return self.run("PING") == "PONG"
        except (OSError, ValueError):
            return False

    def connect(self, limit_s):
        if self.port:
            return socket.create_connection(("127.0.0.1", self.port), limit_s)
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(limit_s)
        link.connect(self.socket)
        return link

    def run_all(self, commands, limit_s=None, may_fail=False):
        """Sends all commands at once; returns the replies, of which errors are
        ValueErrors: raised, or returned if a command may fail."""
        first = [("AUTH", self.password)] if self.password else []
        sent = first + list(commands)
        with self.connect(limit_s or self.limit_s) as link:
            link.sendall(b"".join(map(command_bytes, sent)))
            lines = link.makefile("rb")
            return [reply(lines, may_fail) for _ in sent][len(first):]

    def run(self, *command, limit_s=None):
        return self.run_all([command], limit_s)[0]

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


# --- the stack

class Stack:
    """nginx and the service, started by deploy/run.sh; without REDIS_URL also a private
    Redis."""

    def __init__(self, folder, binary, port=None, **settings):
        self.folder, self.binary = Path(folder), str(binary)
        self.port, self.metrics_port = port or free_port(), free_port()
        self.run_dir = self.folder / "run"
        self.output, self.log = self.folder / "run.out", self.folder / "service.log"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "settings").touch()
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(SETTINGS)}
        self.environment.update(
            RUN_BINARY=self.binary, RUN_DIR=str(self.run_dir),
            HTTP_PORT=str(self.port), METRICS_PORT=str(self.metrics_port),
            SCORING_CONFIG_FILE=str(self.folder / "settings"),
            SCORING_LOG_FILE=str(self.log))
        self.environment.update(settings)
        self.process = None

    def start(self):
        self.process = spawn([str(TOP / "deploy/run.sh")], self.output,
                             cwd=TOP, env=self.environment)
        wait_until(self.is_ready, START_LIMIT_S, f"{self.binary} is not ready")

    def is_ready(self):
        said = self.output.read_text()
        if self.process.poll() is not None:
            raise Failure(f"{self.binary} does not start: {said.strip()}")
        return f"ready: http://127.0.0.1:{self.port}\n" in said

    def stop(self):
        """Returns whether it has ended in order."""
        return end(self.process)

    def __enter__(self):
        try:
            self.start()
        except Failure:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def parent(self):
        """The service's parent, which has the name of the binary."""
        name = os.path.basename(self.binary)[:15]
        for pid in children(self.process.pid):
            if name_of(pid) == name:
                return pid
        raise Failure("the service's parent is gone")

    def workers(self):
        return sorted(children(self.parent()))

    def nginx(self):
        """nginx's master and its workers."""
        masters = [pid for pid in children(self.process.pid) if name_of(pid) == "nginx"]
        return masters + [pid for master in masters for pid in children(master)]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if "--" not in sys.argv[2:]:
        sys.exit(__doc__)
    at = sys.argv.index("--")
    settings = dict(word.split("=", 1) for word in sys.argv[2:at])
    with tempfile.TemporaryDirectory(prefix="scoring-stack-") as folder:
        try:
            with Stack(folder, Path(sys.argv[1]).resolve(), **settings) as stack:
                url = f"http://127.0.0.1:{stack.port}"
                command = [word.replace("{}", url) for word in sys.argv[at + 1:]]
                return subprocess.run(command, check=False).returncode
        except Failure as failure:
            print(failure)
            return 1


if __name__ == "__main__":
    sys.exit(main())
