"""The stack of deploy/run.sh, with a Redis that can be frozen, killed and restarted; and
functions that read its processes from /proc."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from ports import free_port  # noqa: E402

START_LIMIT_S = 60
STOP_LIMIT_S = 30
TICK_S = 0.05


class StackError(Exception):
    """The stack did not start or behave as expected."""


def wait_until(check, limit_s, what):
    end = time.monotonic() + limit_s
    while not check():
        if time.monotonic() > end:
            raise StackError(f"{what} within {limit_s} s")
        time.sleep(TICK_S)


class Redis:
    """A Redis on a unix socket. At each start it loads the data that load() has saved,
    before it accepts connections."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.socket = str(self.folder / "redis.sock")
        self.process = None

    def start(self):
        Path(self.socket).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "redis-server", "--port", "0",
             "--unixsocket", self.socket, "--dir", str(self.folder),
             "--save", "", "--logfile", str(self.folder / "redis.log")],
            start_new_session=True)

    def is_up(self):
        try:
            return self.run([("PING",)]) == [b"+PONG"]
        except OSError:
            return False

    def run(self, commands):
        """The first line of each reply."""
        sent = b"".join(command_bytes(command) for command in commands)
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(START_LIMIT_S)
            link.connect(self.socket)
            link.sendall(sent)
            replies = link.makefile("rb")
            return [replies.readline().rstrip() for _ in commands]

    def load(self, commands):
        replies = self.run(list(commands) + [("SAVE",)])
        if any(reply[:1] not in (b"+", b":") for reply in replies):
            raise StackError("Redis did not take its data")

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def command_bytes(parts):
    out = [b"*%d\r\n" % len(parts)]
    for part in parts:
        data = part.encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


class Stack:
    """nginx and the service, started by deploy/run.sh."""

    def __init__(self, top, folder, binary, redis, workers, port=None):
        self.top, self.folder = top, Path(folder)
        self.port = port or free_port()
        self.run_dir = self.folder / "run"
        self.output = self.folder / "run.out"
        (self.folder / "settings").touch()
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder),
            "TZ": os.environ.get("TZ", ""), "RUN_BINARY": str(binary),
            "RUN_DIR": str(self.run_dir), "HTTP_PORT": str(self.port),
            "SCORING_CONFIG_FILE": str(self.folder / "settings"),
            "REDIS_URL": f"unix://{redis.socket}",
            "SCORING_WORKERS": str(workers),
            "SCORING_LOG_FILE": str(self.folder / "service.log"),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
        }
        self.process = None

    def start(self):
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "deploy/run.sh"],
                cwd=self.top, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)
        wait_until(self.is_ready, START_LIMIT_S, "the stack is not ready")

    def is_ready(self):
        if self.process.poll() is not None:
            raise StackError("the stack did not start: " + self.output.read_text())
        return "ready: " in self.output.read_text()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return self.process is not None and self.process.returncode == 0
        self.process.terminate()
        try:
            return self.process.wait(STOP_LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            return False

    def parent(self):
        for pid in children(self.process.pid):
            if name_of(pid) == "scoring":
                return pid
        raise StackError("the service's parent is gone")

    def workers(self):
        return sorted(children(self.parent()))


def stat_fields(pid):
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


def fastcgi_inodes(run_dir):
    path = str(run_dir / "scoring.sock")
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return {row[6] for row in rows if row[-1] == path}


def descriptors(pid, run_dir):
    """The number of open descriptors, without connections from nginx, whose number
    varies."""
    ours, inodes = 0, fastcgi_inodes(run_dir)
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
