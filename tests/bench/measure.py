"""One measurement: a load on a target, while samples of its answers are checked."""
import json
import os
import subprocess
import threading

import ask
import workloads
from processes import Failure, cpu_s, private_kib, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_S = 5  # of wrk, for one answer
LOAD_LIMIT_S = 60  # how much longer than planned a load may take
SAMPLE_PAUSE_S = 0.1  # between two answers that are compared in full
WARM_S = 1
CHECKS_BEFORE = 8
SETTLE_LIMIT_S = 5  # after an outage; the service promises 2
OUTAGE_S = 1  # of each load that lets the breakers open
OUTAGE_LOADS = 2  # with other connections, and so other workers
NUMBERS_PER_RUN = 10**7  # more than load.lua sends in a run
NUMBERS = 10**10
US_PER_S = 1e6


class Bench:
    """Runs measurements, one at a time."""

    def __init__(self, folder, targets):
        self.folder = folder
        self.targets = targets
        self.redis = targets.redis
        self.samples = workloads.numbers()
        self.runs = 0

    def check_contract(self, target):
        for question in workloads.contract():
            must_be_right(ask.fault(target.port, question))

    def sample(self, workload, target):
        return ask.fault(target.port, workload.sample(next(self.samples)))

    def settle(self, target):
        """Waits until the service has its Redis again, if it was down."""
        interests = workloads.interests(1)
        wait_until(
            lambda: self.sample(interests, target) is None,
            SETTLE_LIMIT_S,
            "the service does not find its Redis again",
        )

    def check(self, workload, target):
        for _ in range(CHECKS_BEFORE):
            must_be_right(self.sample(workload, target))

    def bodies(self, workload):
        path = os.path.join(self.folder, "bodies")
        with open(path, "w") as file:
            file.writelines(body + "\n" for body in workload.bodies)
        return path

    def wrk(self, workload, target, seconds, connections):
        """As fast as possible: each connection sends again when it is answered."""
        self.runs += 1
        command = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds]
        command += ["--timeout", "%ds" % TIMEOUT_S]
        command += ["-s", os.path.join(HERE, "load.lua")]
        command += ["http://127.0.0.1:%d/method" % target.port]
        said = run_load(
            command,
            seconds,
            BENCH_BODIES=self.bodies(workload),
            BENCH_FIRST=str(self.runs * NUMBERS_PER_RUN % NUMBERS),
        )
        for line in said.splitlines():
            if line.startswith("BENCH "):
                return json.loads(line[len("BENCH ") :])
        raise Failure("wrk: " + said)

    def rate(self, workload, target, seconds, connections, per_s):
        """At a constant rate, by rate.c."""
        command = [self.targets.tool("rate"), str(target.port), str(connections)]
        command += ["%.3f" % per_s, str(seconds), self.bodies(workload)]
        try:
            return json.loads(run_load(command, seconds))
        except ValueError:
            raise Failure("rate ended without figures") from None

    def run(self, workload, target, seconds, connections, per_s=None):
        """
        Returns the figures. Raises Failure at a wrong answer.

        per_s  requests per second; None: as many as possible
        """

        def load(time_s):
            if per_s is None:
                return self.wrk(workload, target, time_s, connections)
            return self.rate(workload, target, time_s, connections, per_s)

        self.redis.refresh()
        target.trim_logs()
        if workload.target == "service":
            self.settle(target)
        self.check(workload, target)
        try:
            if workload.redis == "up":
                load(WARM_S)
            else:
                self.outage(workload, target, connections)
            self.check(workload, target)
            watcher = Watcher(lambda: self.sample(workload, target), per_s is not None)
            return self.watched(workload, target, watcher, lambda: load(seconds))
        finally:
            self.redis.thaw()

    def outage(self, workload, target, connections):
        """Begins an outage of Redis, and lets the breaker of every worker open."""
        if workload.redis == "down":
            self.redis.stop()
        else:
            self.redis.freeze()
        for _ in range(OUTAGE_LOADS):
            self.wrk(workload, target, OUTAGE_S, connections)

    def watched(self, workload, target, watcher, load):
        pids = dict(target.pids(), redis=self.redis.pids())
        commands = self.commands(workload)
        before = {name: cpu_s(pids[name]) for name in pids}
        watcher.start()
        try:
            figures = load()
        finally:
            watcher.stop()
        after = {name: cpu_s(pids[name]) for name in pids}
        must_be_right(watcher.wrong)
        check_counts(workload, figures)
        count = figures["requests"] + watcher.count
        figures["rps"] = figures["requests"] * US_PER_S / figures["us"]
        for name in pids:
            figures["cpu_" + name] = (after[name] - before[name]) * US_PER_S / count
        figures["cpu"] = sum(figures["cpu_" + name] for name in pids)
        figures["kib"] = private_kib(pids["service"])
        figures["commands"] = (self.commands(workload) - commands) / count
        figures["compared"] = watcher.count
        return figures

    def commands(self, workload):
        return self.redis.command_count() if workload.redis == "up" else 0


def run_load(command, seconds, **variables):
    try:
        done = subprocess.run(
            command,
            env=dict(os.environ, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + LOAD_LIMIT_S,
            universal_newlines=True,
        )
    except subprocess.TimeoutExpired:
        raise Failure("%s does not end" % command[0]) from None
    if done.returncode != 0:
        raise Failure("%s: %s" % (command[0], done.stdout.strip()))
    return done.stdout


def must_be_right(wrong):
    if wrong:
        raise Failure("wrong answer: " + wrong)


def check_counts(workload, figures):
    """Checks the number of answers with another status than 2xx or 3xx."""
    expected = 0 if workload.status < 400 else figures["requests"]
    if figures["requests"] == 0 or figures["refused"] != expected:
        raise Failure(
            "%s: of %d answers %d are refusals, not %d"
            % (workload.name, figures["requests"], figures["refused"], expected)
        )


class Watcher(threading.Thread):
    """
    Sends requests and checks their answers while a load runs.

    gives_way  run at the lowest priority, so as not to affect latencies
    """

    def __init__(self, sample, gives_way):
        super().__init__(daemon=True)
        self.sample = sample
        self.gives_way = gives_way
        self.ended = threading.Event()
        self.wrong = None
        self.count = 0

    def run(self):
        try:
            self.compare()
        except Exception as error:  # otherwise the thread would end unnoticed
            self.wrong = "cannot be checked: %r" % error

    def compare(self):
        if self.gives_way:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while self.wrong is None and not self.ended.wait(SAMPLE_PAUSE_S):
            self.wrong = self.sample()
            self.count += 1

    def stop(self):
        self.ended.set()
        self.join()
