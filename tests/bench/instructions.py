#!/usr/bin/python3
"""`make instructions`: counts the instructions of a request in nginx and the service.

    instructions.py BINARY [BINARY...]

callgrind counts them, one request at a time, over one kept connection, with one
worker. So the figures do not depend on the machine's speed or load: the same code,
compiler and libraries give the same figures. Several binaries are shown side by side.
Some rows are repeated with a Redis Cluster of three masters. Each answer is checked.
"""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import workloads
from processes import Failure, end, wait_until
from servers import Cluster, Redis, Stack

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin")
WARM_UP = 100
REQUESTS = 500
START_LIMIT_S = 60  # callgrind makes everything some fifty times slower
ANSWER_LIMIT_S = 30
MEASURED = (
    ("hot score", workloads.hot_scores, REQUESTS),
    ("new score", workloads.new_scores, REQUESTS),
    ("explained score", workloads.explained_scores, REQUESTS),
    ("scores of 10", lambda: workloads.batches(10), REQUESTS // 5),
    ("scores of 100", lambda: workloads.batches(100), REQUESTS // 25),
    ("scores of 1000", lambda: workloads.batches(1000), REQUESTS // 50),
    ("interests of 10", lambda: workloads.interests(10), REQUESTS),
    ("interests of 100", lambda: workloads.interests(100), REQUESTS),
    ("interests of 1000", lambda: workloads.interests(1000), REQUESTS // 25),
    ("body of 500 KiB", lambda: workloads.padded_scores("", 500 * 1024), REQUESTS // 50),
    ("wrong token", workloads.wrong_tokens, REQUESTS),
)

# The rows that are repeated with a Redis Cluster.
OF_CLUSTER = ("hot score", "interests of 10", "interests of 100")


class Counted:
    """A program under callgrind."""

    def __init__(self, folder, name, command, **options):
        self.out = os.path.join(folder, "callgrind." + name)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "valgrind", "-q", "--tool=callgrind"]
            + ["--callgrind-out-file=%s.%%p" % self.out, "--trace-children=yes"]
            + command,
            stdout=subprocess.DEVNULL,
            stderr=open(self.out + ".log", "wb"),
            **options
        )

    def control(self, option, pid):
        done = subprocess.run(
            ["callgrind_control", option, str(pid)], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failure("callgrind_control: " + done.stderr.strip())

    def workers(self):
        """The children of the process; without any, the process itself."""
        with open("/proc/%d/task/%d/children" % ((self.process.pid,) * 2)) as file:
            return [int(pid) for pid in file.read().split()] or [self.process.pid]

    def zero(self):
        for pid in self.workers():
            self.control("-z", pid)

    def count(self):
        total = 0
        for pid in self.workers():
            self.control("-d", pid)
            name = "%s.%d" % (os.path.basename(self.out), pid)
            folder = os.path.dirname(self.out)
            dumps = [file for file in os.listdir(folder) if file.startswith(name)]
            newest = max(dumps, key=lambda file: os.stat(os.path.join(folder, file)).st_mtime_ns)
            with open(os.path.join(folder, newest)) as file:
                total += int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1))
        return total


def send(port, bodies, count, first=0):
    """Sends requests over one connection; each answer must be 200 or 403."""
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)
    for i in range(first, first + count):
        body = bodies[i % len(bodies)].replace(workloads.NUMBER, "%010d" % i)
        peer.request("POST", "/method", body.encode())
        answer = peer.getresponse()
        text = answer.read()
        if answer.status not in (200, 403):
            raise Failure("%d %.200r to %.200s" % (answer.status, text, body))
    peer.close()


def render(folder, binary, url):
    """Makes nginx's configuration by deploy/run.sh, with one process. Returns the stack."""
    stack = Stack(folder, binary, url)
    stack.start()
    stack.stop()
    path = stack.run_dir / "nginx/nginx.conf"
    with open(path) as file:
        text = re.sub(r"worker_processes \w+;", "master_process off;", file.read())
    with open(path, "w") as file:
        file.write(text)
    return stack


def start_service(stack):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(stack.run_dir / "scoring.sock"))
    listener.listen(64)
    environment = dict(
        stack.environment,
        SCORING_WORKERS="1",
        # Longer limits, because callgrind makes everything slow.
        SCORING_STORE_CONNECT_TIMEOUT_MS="1000",
        SCORING_STORE_TIMEOUT_MS="1000",
        SCORING_STORE_DEADLINE_MS="2000",
    )
    return Counted(stack.folder, "service", [stack.binary], stdin=listener, env=environment)


def start_nginx(stack):
    log = stack.run_dir / "nginx/error.log"
    config = stack.run_dir / "nginx/nginx.conf"
    return Counted(
        stack.folder,
        "nginx",
        [NGINX, "-e", log, "-p", stack.run_dir, "-c", config],
        stdin=subprocess.DEVNULL,
    )


def answers(port):
    try:
        send(port, workloads.wrong_tokens().bodies, 1)
        return True
    except (OSError, http.client.HTTPException, Failure):
        return False


def measure(folder, binary, store, rows):
    """[(nginx, service)] for each of these rows: instructions per request."""
    store.refresh()
    stack = render(folder, binary, store.url)
    counted = [start_nginx(stack), start_service(stack)]
    try:
        wait_until(lambda: answers(stack.port), START_LIMIT_S, "does not start: see " + folder)
        counts = []
        for _, workload, requests in rows:
            bodies = workload().bodies
            send(stack.port, bodies, min(WARM_UP, requests))
            for program in counted:
                program.zero()
            send(stack.port, bodies, requests, WARM_UP)
            counts.append([program.count() // requests for program in counted])
        return counts
    finally:
        for program in counted:
            end(program.process)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="scoring-count-")
    contents = workloads.redis_contents()
    repeated = [row for row in MEASURED if row[0] in OF_CLUSTER]
    tables = ((Redis(folder, contents), MEASURED), (Cluster(folder, contents), repeated))
    names = [row[0] for row in MEASURED] + [row[0] + ", Cluster" for row in repeated]
    try:
        columns = []
        for i, binary in enumerate(map(os.path.abspath, sys.argv[1:])):
            columns.append([])
            for j, (store, rows) in enumerate(tables):
                home = os.path.join(folder, "%d-%d" % (i, j))
                columns[i] += measure(home, binary, store, rows)
    except (Failure, OSError) as failure:
        print("instructions: VOID: %s" % failure, file=sys.stderr)
        return 1
    finally:
        for store, _ in tables:
            store.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print("instructions a request    " + "%10s %10s" % ("nginx", "service") * len(columns))
    for i, name in enumerate(names):
        print("%-26s" % name + "".join("%10d %10d" % tuple(rows[i]) for rows in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
