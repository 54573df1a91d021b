"""The servers: Redis, a proxy in front of it, nginx alone, and whole stacks.

All listen on loopback, or on unix sockets in one folder, which is removed at the end.
All processes are ended by their ids.
"""
import os
import signal
import socket
import subprocess

from ask import post
from processes import Failure, descendants, end, free_port, spawn, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
START_LIMIT_S = 15
REPLY_LIMIT_S = 10
FORM_LIMIT_S = 60


def exchange(peer, commands):
    """Sends all commands at once, and returns the bytes of all replies."""
    text = b""
    for command in commands:
        words = [word.encode() for word in command]
        text += b"*%d\r\n" % len(words)
        text += b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    peer.sendall(text)
    peer.shutdown(socket.SHUT_WR)
    return b"".join(iter(lambda: peer.recv(65536), b""))


class Redis:
    """A private one, without persistence, on a unix socket."""

    def __init__(self, folder, contents):
        self.folder = folder
        self.contents = contents  # commands
        self.socket = os.path.join(folder, "redis.sock")
        self.url = "unix://" + self.socket
        self.process = None

    def start(self):
        self.process = spawn(
            ["redis-server", "--port", "0", "--unixsocket", self.socket]
            + ["--save", "", "--appendonly", "no", "--dir", self.folder]
            # Only scores, which expire, are evicted.
            + ["--maxmemory", "512mb", "--maxmemory-policy", "volatile-lru"],
            os.path.join(self.folder, "redis.log"),
        )
        wait_until(self.answers, START_LIMIT_S, "Redis does not start")

    def refresh(self):
        """Restores the contents from the beginning."""
        if self.process is None:
            self.start()
        self.ask([["FLUSHALL"]] + self.contents)

    def stop(self):
        end(self.process)
        self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def pids(self):
        return [] if self.process is None else [self.process.pid]

    def answers(self):
        try:
            return self.ask([["PING"]]) == b"+PONG\r\n"
        except OSError:
            return False

    def ask(self, commands):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(REPLY_LIMIT_S)
            peer.connect(self.socket)
            return exchange(peer, commands)

    def command_count(self):
        """Commands so far, without those of this class."""
        count = 0
        for line in self.ask([["INFO", "commandstats"]]).decode().splitlines():
            if line.startswith("cmdstat_") and not line.startswith("cmdstat_info"):
                count += int(line.split("calls=")[1].split(",")[0])
        return count


class Cluster:
    """A private Redis Cluster of three masters, without replicas and persistence."""

    MASTERS = 3

    def __init__(self, folder, contents):
        self.folder = folder
        self.contents = contents  # commands of one key each
        self.ports = [free_port() for _ in range(self.MASTERS)]
        self.url = "redis+cluster://127.0.0.1:%d" % self.ports[0]
        self.processes = []

    def start(self):
        for port in self.ports:
            home = os.path.join(self.folder, "cluster-%d" % port)
            os.mkdir(home)
            command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
            command += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
            command += ["--save", "", "--appendonly", "no", "--dir", home]
            self.processes.append(spawn(command, os.path.join(home, "redis.log")))
        wait_until(self.answers, START_LIMIT_S, "the Cluster does not start")
        addresses = ["127.0.0.1:%d" % port for port in self.ports]
        subprocess.run(
            ["redis-cli", "--cluster", "create"] + addresses + ["--cluster-yes"],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=FORM_LIMIT_S,
        )
        wait_until(self.is_whole, START_LIMIT_S, "the Cluster does not form")

    def refresh(self):
        """Sends the contents to each master, which refuses the keys of the others."""
        if not self.processes:
            self.start()
        for port in self.ports:
            self.ask(port, [["FLUSHALL"]] + self.contents)

    def stop(self):
        for process in self.processes:
            end(process)

    def answers(self):
        try:
            return all(self.ask(port, [["PING"]]) for port in self.ports)
        except OSError:
            return False

    def is_whole(self):
        return all(
            b"cluster_state:ok" in self.ask(port, [["CLUSTER", "INFO"]])
            for port in self.ports
        )

    def ask(self, port, commands):
        with socket.create_connection(("127.0.0.1", port), REPLY_LIMIT_S) as peer:
            return exchange(peer, commands)


class Delay:
    """A proxy that delays the replies of Redis: delay.c."""

    def __init__(self, folder, program, redis, delay_ms):
        self.log = os.path.join(folder, "delay.log")
        self.socket = os.path.join(folder, "redis-%d-ms.sock" % delay_ms)
        self.url = "unix://" + self.socket
        self.command = [program, self.socket, redis.socket, str(delay_ms * 1000)]
        self.process = None

    def start(self):
        self.process = spawn(self.command, self.log)
        wait_until(
            lambda: os.path.exists(self.socket), START_LIMIT_S, "delay does not start"
        )

    def stop(self):
        end(self.process)


def wrap(folder, binary, settings_of):
    """A script that serves by one binary, and runs the commands of another."""
    with open(folder + ".sh", "w") as file:
        file.write('#!/bin/sh\n[ $# -eq 0 ] || exec "%s" "$@"\n' % settings_of)
        file.write('exec "%s"\n' % binary)
    os.chmod(file.name, 0o755)
    return file.name


class Stack:
    """deploy/run.sh, with any binary and this Redis."""

    def __init__(self, folder, binary, url, settings_of=None, **settings):
        """settings_of: the binary that reads the settings, if another one."""
        self.folder = folder
        self.binary = binary
        self.port = free_port()
        self.metrics_port = free_port()
        self.log = folder + ".log"  # not in the folder, which is RUN_DIR
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("SCORING_", "REDIS_"))
        }
        self.environment.update(
            RUN_BINARY=wrap(folder, binary, settings_of) if settings_of else binary,
            RUN_DIR=folder,
            HTTP_PORT=str(self.port),
            METRICS_PORT=str(self.metrics_port),
            REDIS_URL=url,
            SCORING_CONFIG_FILE="",
            SCORING_LOG_FILE=folder + ".scoring.log",
        )
        self.environment.update(settings)
        self.process = None

    def start(self):
        self.process = spawn(
            [os.path.join(TOP, "deploy", "run.sh")], self.log, env=self.environment
        )
        try:
            wait_until(self.is_ready, START_LIMIT_S, "does not start")
        except Failure as failure:
            raise Failure("%s %s: %s" % (self.binary, failure, self.said())) from None

    def said(self):
        with open(self.log) as file:
            return file.read().strip()

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failure("has ended")
        return "ready: " in self.said()

    def trim_logs(self):
        """Empties the logs, so that they do not fill the disk. Both are appended to."""
        for path in (self.folder + ".scoring.log", self.folder + "/nginx/access.log"):
            if os.path.exists(path):
                os.truncate(path, 0)

    def stop(self):
        end(self.process)

    def pids(self):
        """The processes whose CPU is measured."""
        name = os.path.basename(self.binary)[:15]
        found = descendants(self.process.pid)
        return {
            "nginx": [pid for pid, comm in found.items() if comm == "nginx"],
            "service": [pid for pid, comm in found.items() if comm == name],
        }


class Nginx:
    """The site of a stack, in which nginx answers by itself: a ceiling."""

    ANSWER = "return 200 '{\"code\": 200, \"response\": {\"score\": 5.0}}';"

    def __init__(self, folder, stack):
        self.folder = folder
        self.stack = stack
        self.port = free_port()
        self.process = None

    def start(self):
        os.makedirs(os.path.join(self.folder, "nginx"), exist_ok=True)
        for name in ("nginx/nginx.conf", "nginx/scoring.conf"):
            self.copy(name)
        log = os.path.join(self.folder, "nginx", "error.log")
        self.process = spawn(
            ["nginx", "-e", log, "-p", self.folder]
            + ["-c", os.path.join(self.folder, "nginx", "nginx.conf")],
            log,
        )
        wait_until(self.answers, START_LIMIT_S, "nginx does not start: see " + log)

    def copy(self, name):
        with open(os.path.join(self.stack.folder, name)) as file:
            text = file.read()
        text = text.replace(self.stack.folder, self.folder)
        text = text.replace(":%d" % self.stack.port, ":%d" % self.port)
        text = text.replace(":%d" % self.stack.metrics_port, ":%d" % free_port())
        text = text.replace("fastcgi_pass scoring;", self.ANSWER)
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def answers(self):
        try:
            return post(self.port, "{}")[0] == 200
        except OSError:
            return False

    def trim_logs(self):
        os.truncate(os.path.join(self.folder, "nginx", "access.log"), 0)

    def stop(self):
        end(self.process)

    def pids(self):
        found = descendants(self.process.pid)
        return {"nginx": [self.process.pid] + list(found), "service": []}
