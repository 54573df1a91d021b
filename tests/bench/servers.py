"""The servers: Redis, a proxy in front of it, nginx alone, and whole stacks.

All listen on loopback, or on unix sockets in one folder, which is removed at the end.
All processes are ended by their ids.
"""
import os
import subprocess

import stack
from ask import post
from processes import end, free_port, spawn, wait_until
from stack import START_LIMIT_S, children

FORM_LIMIT_S = 60


class Redis(stack.Redis):
    """A private one, without persistence, on a unix socket."""

    # Only scores, which expire, are evicted.
    SETTINGS = 'save ""\nmaxmemory 512mb\nmaxmemory-policy volatile-lru\n'

    def __init__(self, folder, contents):
        super().__init__(os.path.join(folder, "redis"), self.SETTINGS)
        self.contents = contents  # commands
        self.stop = self.kill

    def refresh(self):
        """Restores the contents from the beginning."""
        if self.process is None:
            self.start()
        self.run_all([["FLUSHALL"]] + self.contents)

    def pids(self):
        return [] if self.process is None else [self.process.pid]

    def command_count(self):
        """Commands so far, without those of this class."""
        count = 0
        for line in self.run("INFO", "commandstats").splitlines():
            if line.startswith("cmdstat_") and not line.startswith("cmdstat_info"):
                count += int(line.split("calls=")[1].split(",")[0])
        return count


class Cluster:
    """A private Redis Cluster of three masters, without replicas and persistence."""

    MASTERS = 3
    SETTINGS = 'save ""\ncluster-enabled yes\ncluster-port %d\n'

    def __init__(self, folder, contents):
        self.contents = contents  # commands of one key each
        self.servers = []
        for port in [free_port() for _ in range(self.MASTERS)]:
            home = os.path.join(folder, "cluster-%d" % port)
            settings = self.SETTINGS % free_port()
            self.servers.append(stack.Redis(home, settings, port=port))
        self.addresses = ["127.0.0.1:%d" % server.port for server in self.servers]
        self.url = "redis+cluster://" + self.addresses[0]

    def start(self):
        for server in self.servers:
            server.start()
        subprocess.run(
            ["redis-cli", "--cluster", "create"] + self.addresses + ["--cluster-yes"],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=FORM_LIMIT_S,
        )
        wait_until(self.is_whole, START_LIMIT_S, "the Cluster does not form")

    def refresh(self):
        """Sends the contents to each master, which refuses the keys of the others."""
        if self.servers[0].process is None:
            self.start()
        for server in self.servers:
            server.run_all([["FLUSHALL"]] + self.contents, may_fail=True)

    def stop(self):
        for server in self.servers:
            server.kill()

    def is_whole(self):
        return all(
            "cluster_state:ok" in server.run("CLUSTER", "INFO") for server in self.servers
        )


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


class Stack(stack.Stack):
    """A stack with this Redis, whose processes are measured."""

    def __init__(self, folder, binary, url, settings_of=None, **settings):
        """settings_of: the binary that reads the settings, if another one."""
        if settings_of:
            settings["RUN_BINARY"] = wrap(folder, binary, settings_of)
        super().__init__(folder, binary, REDIS_URL=url, **settings)

    def trim_logs(self):
        """Empties the logs, so that they do not fill the disk. Both are appended to."""
        for path in (self.log, self.run_dir / "nginx/access.log"):
            if path.exists():
                os.truncate(path, 0)

    def pids(self):
        """The processes whose CPU is measured."""
        return {"nginx": self.nginx(), "service": [self.parent()] + self.workers()}


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
        text = (self.stack.run_dir / name).read_text()
        text = text.replace(str(self.stack.run_dir), self.folder)
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
        pid = self.process.pid
        return {"nginx": [pid] + children(pid), "service": []}
