#!/usr/bin/python3
"""`make check-haproxy`: tests the configurations of deploy/haproxy, with only their
addresses replaced, in front of two whole stacks, and of a master with two replicas and
three sentinels. Hosts are restarted and killed under load, masters are promoted and
killed, and each answer is checked.

    haproxy.py BINARY

The last line is "N passed, N failed", or with ", N skipped"."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/soak"), str(TOP / "tests/sentinel")]
from group import NAME, Group  # noqa: E402
from load import PATIENCE_S, SCORE, SCORE_ANSWER, Load  # noqa: E402
import stack as stacks  # noqa: E402

MANY_CLIENTS = 16  # enough that a host has requests when it is killed
UNAVAILABLE = {"code": 503, "error": "Service Unavailable"}
ONE, OTHER = "127.0.0.2", "127.0.0.3"  # callers; the balancer is 127.0.0.1

results = {"passed": 0, "failed": 0}


def check(name, good, detail=""):
    results["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED {name}: {detail}", flush=True)


def wait_until(is_so, what):
    stacks.wait_until(is_so, PATIENCE_S, what)


class Balancer:
    """haproxy, with one of the configurations."""

    def __init__(self, folder, name, places):
        text = (TOP / "deploy/haproxy" / name).read_text()
        self.admin, self.output = f"{folder}/{name}.sock", Path(folder) / f"{name}.log"
        for shown, ours in {**places, "/run/haproxy/scoring.sock": self.admin,
                            "/run/haproxy/redis.sock": self.admin}.items():
            text = text.replace(shown, ours)
        self.config = Path(folder) / name
        self.config.write_text(text)
        self.process = None

    def __enter__(self):
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "haproxy", "-dW", "-f", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until(lambda: os.path.exists(self.admin), f"{self.config} does not run")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(PATIENCE_S)
            link.connect(self.admin)
            link.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: link.recv(65536), b"")).decode()

    def figure(self, backend, server, name):
        """A column of HAProxy's statistics."""
        rows = [line.split(",") for line in self.ask("show stat").splitlines()]
        at = rows[0].index(name)
        return next(row[at] for row in rows if row[:2] == [backend, server])

    def state(self, backend, server):
        return self.figure(backend, server, "status")

    def wait_for(self, backend, server, state):
        wait_until(lambda: self.state(backend, server).startswith(state),
                   f"{backend}/{server} is not {state}")


# --- hosts

def post(port, body=SCORE, caller=ONE, path="/method", headers=None):
    """Returns status, headers, and the answer as JSON."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S,
                                      source_address=(caller, 0))
    with contextlib.closing(link):
        link.request("POST", path, body, headers or {})
        answer = link.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())


def is_score(port, **options):
    return post(port, **options)[2] == SCORE_ANSWER


def check_load(name, load):
    check(name, load.answers > 0 and not load.wrong,
          f"{len(load.wrong)} of {load.answers} were wrong: {load.wrong[:3]}")


def is_limited(port, claims):
    """Whether any answer is 429. claims: each request claims to be another caller."""
    for number in range(250):
        headers = {"X-Forwarded-For": f"203.0.113.{number}"} if claims else {}
        if post(port, headers=headers)[0] == 429:
            return True
    return False


def limits(port, logs):
    """Each host accepts one request per second from each address."""
    check("a caller over its rate is 429", is_limited(port, False))
    check("another caller has its own rate", is_score(port, caller=OTHER))
    check("an X-Forwarded-For of the caller's own changes nothing", is_limited(port, True))
    wait_until(lambda: any(f"addr={OTHER} " in path.read_text() for path in logs),
               "no host logs the caller")
    check("the caller is in the log of a host", True)


def tells(port, balancer):
    wait_until(lambda: is_score(port, path="/method?phone=79175002040",
                                headers={"X-Request-ID": "seen-by-both"}), "no score")
    line = f"addr={ONE} id=seen-by-both verb=POST path=/method code=200"
    wait_until(lambda: line in balancer.output.read_text(), f"the log has no {line}")
    check("the balancer's log has the id, and no query",
          "phone" not in balancer.output.read_text(), line)


def rolling(port, hosts, balancer):
    with Load(port) as load:
        for number, host in enumerate(hosts, 1):
            check(f"host {number} ends in order", host.stop())
            balancer.wait_for("hosts", f"host{number}", "DOWN")
            host.start()
            balancer.wait_for("hosts", f"host{number}", "UP")
    check_load("a rolling restart loses nothing", load)


def drained(port, balancer):
    balancer.ask("set server hosts/host1 state drain")
    balancer.wait_for("hosts", "host1", "DRAIN")
    before = balancer.figure("hosts", "host1", "stot")
    good = all([is_score(port) for _ in range(10)])
    check("a drained host gets no request",
          good and balancer.figure("hosts", "host1", "stot") == before)
    balancer.ask("set server hosts/host1 state ready")
    balancer.wait_for("hosts", "host1", "UP")


def killed(port, hosts, balancer):
    """Kills all processes of nginx of one host at once."""
    with Load(port, MANY_CLIENTS, 0) as load:
        for pid in hosts[0].nginx():
            os.kill(pid, signal.SIGKILL)
        balancer.wait_for("hosts", "host1", "DOWN")
    check_load("a host that is killed loses nothing", load)
    hosts[0].stop()
    hosts[0].start()
    balancer.wait_for("hosts", "host1", "UP")


def shared_cache(hosts, redis):
    redis.run("FLUSHALL")
    good = is_score(hosts[0].port) and is_score(hosts[1].port)
    keys = redis.run("DBSIZE")
    check("hosts share their cached scores", good and keys == 1, keys)


def without_store(port, redis, balancer):
    redis.kill()
    good = all([is_score(port) for _ in range(10)])
    states = [balancer.state("hosts", f"host{number}") for number in (1, 2)]
    check("without a store scores are answered", good)
    check("without a store the hosts stay", all(s.startswith("UP") for s in states), states)


def without_hosts(port, hosts, balancer):
    for number, host in enumerate(hosts, 1):
        host.stop()
        balancer.wait_for("hosts", f"host{number}", "DOWN")
    status, headers, answer = post(port)
    check("without hosts the answer is JSON", (status, answer) == (503, UNAVAILABLE),
          (status, answer))
    check("and says when to come back", headers["Retry-After"] == "1", headers)


def play_hosts(folder, binary):
    redis, port = stacks.Redis(folder / "redis"), stacks.free_port()
    hosts = []
    for name in ("host1", "host2"):
        hosts.append(stacks.Stack(folder / name, binary, REDIS_URL=redis.url,
                                  SCORING_WORKERS="2", TRUSTED_PROXIES="127.0.0.1",
                                  SCORING_RATE_LIMIT="1"))
    logs = [host.run_dir / "nginx/access.log" for host in hosts]
    places = {"192.0.2.1:80": f"127.0.0.1:{port}",
              "192.0.2.11:8080": f"127.0.0.1:{hosts[0].port}",
              "192.0.2.12:8080": f"127.0.0.1:{hosts[1].port}"}
    try:
        redis.start()
        for host in hosts:
            host.start()
        with Balancer(folder, "hosts.cfg", places) as balancer:
            for number in (1, 2):
                balancer.wait_for("hosts", f"host{number}", "UP")
            tells(port, balancer)
            limits(port, logs)
            for number, host in enumerate(hosts, 1):
                host.stop()
                host.environment["SCORING_RATE_LIMIT"] = "0"
                host.start()
                balancer.wait_for("hosts", f"host{number}", "UP")
            shared_cache(hosts, redis)
            drained(port, balancer)
            rolling(port, hosts, balancer)
            killed(port, hosts, balancer)
            without_store(port, redis, balancer)
            without_hosts(port, hosts, balancer)
    finally:
        for host in hosts:
            host.stop()
        redis.kill()


# --- a Sentinel group

class Link:
    """A kept connection to the address of the group."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.lines = self.socket.makefile("rb")

    def run(self, *command):
        self.socket.sendall(stacks.command_bytes(command))
        return stacks.parse(self.lines)

    def is_open(self):
        try:
            return self.run("PING") == "PONG"
        except (OSError, ValueError):
            return False

    def close(self):
        self.lines.close()
        self.socket.close()


def behind(port):
    """The port and the role of the server to which a new connection leads."""
    try:
        with contextlib.closing(Link(port)) as link:
            return int(link.run("CONFIG", "GET", "port")[1]), link.run("ROLE")[0]
    except (OSError, ValueError):
        return None


def leads_to(port, server):
    return behind(port) == (server.port, "master")


def next_master(group, before):
    wait_until(lambda: group.master() not in (None, before), "nobody is promoted")
    return group.master()


def follows_plan(port, group):
    before = group.master()
    with contextlib.closing(Link(port)) as kept:
        check("a connection leads to the master", kept.run("ROLE")[0] == "master")
        group.sentinels[0].run("SENTINEL", "FAILOVER", NAME)
        after = next_master(group, before)
        wait_until(lambda: leads_to(port, after), "the new master is not used")
        wait_until(lambda: not kept.is_open(), "the old connection stays")
    check("a planned failover is followed, and old connections are closed", True)
    wait_until(group.is_settled, "the group does not settle")


def follows_death(port, group):
    before = group.master()
    before.kill()
    after = next_master(group, before)
    wait_until(lambda: leads_to(port, after), "the new master is not used")
    check("the death of a master is followed", True)
    before.start()
    masters, seen = {after.port}, set()  # if the machine stalls, there may be a third

    def is_replica():
        seen.add(behind(port))
        masters.add(getattr(group.master(), "port", after.port))
        return before.role() == "slave"
    wait_until(is_replica, "the old master is no replica")
    check("the old master is not used when it returns",
          (after.port, "master") in seen and
          seen - {None} <= {(master, "master") for master in masters - {before.port}},
          f"before {before.port}, masters {masters}, seen {seen}")
    wait_until(group.is_settled, "the group does not settle")


def keeps_last(port, group, balancer):
    master = group.master()
    for number, sentinel in enumerate(group.sentinels, 1):
        sentinel.kill()
        balancer.wait_for("sentinels", f"sentinel{number}", "DOWN")
        wait_until(lambda: leads_to(port, master), "the master is not used")
        check(f"{number} of 3 sentinels down: the master stays in use", True)
    for sentinel in group.sentinels:
        sentinel.start()
    for number in (1, 2, 3):
        balancer.wait_for("sentinels", f"sentinel{number}", "UP")
    wait_until(lambda: leads_to(port, master), "the master is not used")


def without_master(port, group):
    for server in group.data:
        server.freeze()
    wait_until(lambda: behind(port) is None, "a frozen master is used")
    check("without a master connections are closed", True)


def play_group(folder):
    group, port = Group(folder), stacks.free_port()
    places = {"192.0.2.1:6379": f"127.0.0.1:{port}"}
    for number, server in enumerate(group.data, 1):
        shown = rf"192.0.2.2{number}\r\n$4\r\n6379"
        places[shown] = rf"127.0.0.1\r\n${len(str(server.port))}\r\n{server.port}"
        places[f"192.0.2.2{number}:6379"] = f"127.0.0.1:{server.port}"
    for number, server in enumerate(group.sentinels, 1):
        places[f"192.0.2.3{number}:26379"] = f"127.0.0.1:{server.port}"
    try:
        group.start()
        with Balancer(folder, "redis.cfg", places) as balancer:
            wait_until(lambda: leads_to(port, group.master()), "the master is not used")
            follows_plan(port, group)
            follows_death(port, group)
            keeps_last(port, group, balancer)
            without_master(port, group)
    finally:
        group.stop()


def main():
    if shutil.which("haproxy") is None:
        print("skipped: haproxy is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    binary = os.path.abspath(sys.argv[1])
    for name in ("hosts.cfg", "redis.cfg"):
        said = subprocess.run(["haproxy", "-c", "-dW", "-f", TOP / "deploy/haproxy" / name],
                              capture_output=True, text=True)
        check(f"{name}: haproxy takes it without a warning", said.returncode == 0, said.stderr)
    for play in (lambda folder: play_hosts(folder, binary), play_group):
        with tempfile.TemporaryDirectory(prefix="scoring-haproxy-") as folder:
            try:
                play(Path(folder))
            except (stacks.Failure, OSError) as fault:
                check("all of it", False, fault)
    print(f"{results['passed']} passed, {results['failed']} failed")
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
