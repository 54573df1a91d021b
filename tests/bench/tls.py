#!/usr/bin/python3
"""`make bench-tls`: measures the CPU that HTTPS needs in nginx and the service.

    tls.py BINARY

First, hot scores with a new connection for each: over HTTP, and over HTTPS for each
certificate and version of TLS, with full and with resumed handshakes; from the service,
and from nginx's own `return 200` with the same certificate. Then hot scores over kept
connections, by wrk. BENCH_SECONDS and BENCH_ROUNDS are as for `make bench`. A wrong
answer, or a session that is not resumed, voids the run.
"""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import measure
import table
import workloads
from awake import keep_awake
from processes import Failure, cpu_s, free_port
from servers import Nginx, Redis, Stack
from settings import Settings

ANSWER_LIMIT_S = 5
US_PER_S = 1e6
HTTP = "HTTP"
KEYS = {  # options of `openssl req`
    "RSA 2048": ["-newkey", "rsa:2048"],
    "ECDSA P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
}
RESUMED = "ECDSA P-256"  # any of KEYS: a resumed handshake does not use the key
VERSIONS = {"TLS 1.3": ssl.TLSVersion.TLSv1_3, "TLS 1.2": ssl.TLSVersion.TLSv1_2}
QUESTION = workloads.score_question(workloads.SAMPLES_FROM)


class Site:
    """A stack with one certificate, and nginx alone with the same certificate."""

    def __init__(self, folder, binary, url, key=None):
        self.certificate, settings = None, {}
        if key:
            self.certificate, private = make_certificate(folder, key)
            self.https_port = free_port()
            settings = {
                "TLS_CERTIFICATE": self.certificate,
                "TLS_KEY": private,
                "HTTPS_PORT": str(self.https_port),
            }
        self.service = Stack(folder, binary, url, **settings)
        self.alone = Alone(folder + ".alone", self.service, key and self.https_port)

    def start(self):
        self.service.start()
        self.alone.start()

    def stop(self):
        for server in (self.alone, self.service):
            if server.process:
                server.stop()

    def port(self, server):
        if not self.certificate:
            return server.port
        return self.https_port if server is self.service else self.alone.https_port


class Alone(Nginx):
    """nginx alone, which has a port for HTTPS, too."""

    def __init__(self, folder, stack, https_port):
        super().__init__(folder, stack)
        self.theirs, self.https_port = https_port, free_port()

    def copy(self, name):
        super().copy(name)
        if self.theirs:
            path = os.path.join(self.folder, name)
            with open(path) as file:
                text = file.read().replace(":%d" % self.theirs, ":%d" % self.https_port)
            with open(path, "w") as file:
                file.write(text)

    def answers(self):
        """Whether it accepts connections; over plain HTTP it may refuse scores."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), ANSWER_LIMIT_S):
                return True
        except OSError:
            return False


def make_certificate(folder, key):
    # Not in the folder, because copy() replaces its path in the configuration.
    place = os.path.join(os.path.dirname(folder), "of-" + os.path.basename(folder))
    certificate, private = place + ".pem", place + ".key"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", private]
    done = subprocess.run(
        command + ["-out", certificate] + KEYS[key], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise Failure("openssl: " + done.stderr)
    return certificate, private


# New connections, one after the other.


class Caller:
    """A caller who opens a connection for each request. version: of TLS, or HTTP."""

    def __init__(self, site, server, version, resumes):
        self.port, self.resumes, self.session = site.port(server), resumes, None
        self.is_alone = server is site.alone
        self.context = None
        if version != HTTP:
            self.context = ssl.create_default_context(cafile=site.certificate)
            self.context.minimum_version = VERSIONS[version]
            self.context.maximum_version = VERSIONS[version]

    def open(self):
        link = socket.create_connection(("127.0.0.1", self.port), ANSWER_LIMIT_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            return link
        link = self.context.wrap_socket(
            link, server_hostname="localhost", session=self.session
        )
        if self.session and not link.session_reused:
            raise Failure("a session is not resumed")
        return link

    def ask(self):
        head = "POST /method HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        head += "Content-Length: %d\r\n\r\n" % len(QUESTION.body)
        with self.open() as link:
            link.sendall((head + QUESTION.body).encode())
            answer = b"".join(iter(lambda: link.recv(65536), b""))
            if self.resumes and self.session is None:
                self.session = link.session
        status, text = answer.split(b" ", 2)[1], answer.partition(b"\r\n\r\n")[2]
        want = {"score": 5.0} if self.is_alone else QUESTION.response
        if status != b"200" or json.loads(text)["response"] != want:
            raise Failure("wrong answer: %r" % answer)


def connect(site, server, version, resumes, seconds):
    """Measures the CPU of nginx and the service per connection."""
    caller = Caller(site, server, version, resumes)
    caller.ask()
    pids, count = server.pids(), 0
    before = {name: cpu_s(found) for name, found in pids.items()}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        caller.ask()
        count += 1
    figures = {
        "cpu_" + name: (cpu_s(found) - before[name]) * US_PER_S / count
        for name, found in pids.items()
    }
    return dict(figures, rps=count / seconds, errors=0)


def connections(sites):
    """The rows: name -> (site, version, whether sessions are resumed)."""
    rows = {"HTTP": (sites[HTTP], HTTP, False)}
    for version in VERSIONS:
        for key in KEYS:
            rows["%s, %s" % (version, key)] = (sites[key], version, False)
        rows[version + ", resumed"] = (sites[RESUMED], version, True)
    return rows


def measure_connections(sites, settings):
    rows, results, alone = connections(sites), {}, {}
    for name, (site, version, resumes) in settings.orders(list(rows.items())):
        for server, kept in ((site.service, results), (site.alone, alone)):
            kept.setdefault(name, []).append(
                connect(site, server, version, resumes, settings.seconds)
            )
    middle = {name: table.medians(results[name]) for name in rows}
    for name, figures in middle.items():
        figures["alone"] = table.medians(alone[name])["cpu_nginx"]
    base = middle[HTTP]
    for figures in middle.values():
        figures["handshake"] = figures["cpu_nginx"] - base["cpu_nginx"]
        figures["handshake_alone"] = figures["alone"] - base["alone"]
    return middle


def show_connections(middle):
    def ratio(figures):
        if figures["handshake_alone"] <= 0:
            return "-"
        return "%.2f" % (figures["handshake"] / figures["handshake_alone"])

    table.show(
        "hot scores, a new connection for each; CPU in us; handshake: the difference "
        "to HTTP in nginx; alone: nginx's own return 200",
        middle,
        table.CPU[:2]
        + [
            table.Column("alone", table.decimal("alone")),
            table.Column("handshake", table.decimal("handshake"), 9),
            table.Column("alone", table.decimal("handshake_alone")),
            table.Column("ratio", ratio),
        ],
    )


# Kept connections.


def wrk(site, bodies, seconds, count):
    server = site.service
    scheme = "https" if site.certificate else "http"
    command = ["wrk", "-t1", "-c%d" % count, "-d%ds" % seconds]
    command += ["-s", os.path.join(measure.HERE, "load.lua")]
    command += ["%s://127.0.0.1:%d/method" % (scheme, site.port(server))]
    pids = server.pids()
    before = {name: cpu_s(found) for name, found in pids.items()}
    said = measure.run_load(command, seconds, BENCH_BODIES=bodies, BENCH_FIRST="0")
    figures = json.loads(said.partition("BENCH ")[2])
    if figures["refused"] or figures["errors"] or not figures["requests"]:
        raise Failure("wrk: " + said)
    for name, found in pids.items():
        cpu = (cpu_s(found) - before[name]) * US_PER_S
        figures["cpu_" + name] = cpu / figures["requests"]
    figures["rps"] = figures["requests"] * US_PER_S / figures["us"]
    return figures


def measure_kept(sites, settings, folder):
    bodies = os.path.join(folder, "bodies")
    with open(bodies, "w") as file:
        file.writelines(body + "\n" for body in workloads.hot_scores().bodies)
    rows = [("HTTP", HTTP)] + [("HTTPS, " + key, key) for key in KEYS]
    results = {}
    for name, key in settings.orders(rows):
        sites[key].service.trim_logs()
        results.setdefault(name, []).append(
            wrk(sites[key], bodies, settings.seconds, settings.connections)
        )
    table.show(
        "hot scores over %d kept connections; CPU in us a request" % settings.connections,
        {name: table.medians(results[name]) for name, _ in rows},
        [table.RPS] + table.LATENCY + table.CPU[:2],
    )


def run(binary, settings, folder):
    redis = Redis(folder, workloads.redis_contents())
    places = {key: "%s/%d" % (folder, i) for i, key in enumerate([HTTP, *KEYS])}
    sites = {
        key: Site(place, binary, redis.url, None if key == HTTP else key)
        for key, place in places.items()
    }
    try:
        redis.refresh()
        for site in sites.values():
            site.start()
        show_connections(measure_connections(sites, settings))
        measure_kept(sites, settings, folder)
    finally:
        for site in sites.values():
            site.stop()
        redis.stop()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="scoring-tls-")
    try:
        settings = Settings()
        awake = None if settings.may_sleep else keep_awake()
        run(os.path.abspath(sys.argv[1]), settings, folder)
        del awake
    except (Failure, OSError) as failure:
        print("bench-tls: VOID: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
