"""How the figures depend on workers, connections, bodies, ids and time."""
import http.client
import threading

import table
import workloads
from processes import Failure, private_kib

WORKERS = (1, 2, 4)
CONNECTIONS = (1, 4, 16, 64, 256, 1024)
BODIES_KIB = (0.3, 10, 500)
SMALLEST_KIB = 0.3  # of a score without padding
IDS = (1, 10, 100, 1000, 10000)
FEW_CONNECTIONS = 16  # for large requests
HUGE_BATCH = 1000
HUGE_KIB = 500
HUGE_IDS = 10000
SMALL_PER_S = 1000
SMALL_CONNECTIONS = 32
HUGE_LIMIT_S = 10
MEMORY_ROUND_S = 10
MILLION = 10**6

LOAD = [table.RPS] + table.LATENCY + table.CPU + [table.MEMORY, table.ERRORS]


class Row:
    def __init__(self, name, workload, target="service", connections=None):
        self.name = name
        self.workload = workload
        self.target = target
        self.connections = connections  # None: as the settings say


def measure_rows(bench, settings, title, rows, columns):
    results = {}
    for row in settings.orders(rows):
        figures = bench.run(
            row.workload,
            bench.targets.get(row.target),
            settings.seconds,
            row.connections or settings.connections,
        )
        results.setdefault(row.name, []).append(figures)
    ordered = {row.name: table.medians(results[row.name]) for row in rows}
    table.show(title, ordered, columns)
    return results


def workers(bench, settings):
    rows = [
        Row("%s; workers: %d" % (workload.name, count), workload, "service, %d" % count)
        for workload in (workloads.hot_scores(), workloads.interests(10))
        for count in WORKERS
    ]
    return measure_rows(bench, settings, "workers", rows, LOAD)


def connections(bench, settings):
    rows = [
        Row("connections: %d" % count, workloads.hot_scores(), connections=count)
        for count in CONNECTIONS
    ]
    return measure_rows(bench, settings, "connections, hot scores", rows, LOAD)


def bodies(bench, settings):
    rows = []
    for kib in BODIES_KIB:
        padding = 0 if kib <= SMALLEST_KIB else int(kib * 1024)
        workload = workloads.padded_scores("body", padding)
        rows.append(Row("%g KiB" % kib, workload, connections=FEW_CONNECTIONS))
    return measure_rows(bench, settings, "bodies, one hot score", rows, LOAD)


def ids(bench, settings):
    rows = [
        Row("ids: %d" % count, workloads.interests(count), connections=FEW_CONNECTIONS)
        for count in IDS
    ]
    counts = {"ids: %d" % count: count for count in IDS}
    results = {}

    def per_id(key):
        def text(figures):
            return "%.2f" % (figures[key] / figures["ids"])

        return text

    for row in settings.orders(rows):
        figures = bench.run(
            row.workload, bench.targets.get("service"), settings.seconds, row.connections
        )
        figures["ids"] = counts[row.name]
        results.setdefault(row.name, []).append(figures)
    table.show(
        "interests; the last three: CPU us an id",
        {row.name: table.medians(results[row.name]) for row in rows},
        [table.RPS]
        + table.LATENCY
        + table.CPU
        + [
            table.COMMANDS,
            table.Column("service", per_id("cpu_service")),
            table.Column("Redis", per_id("cpu_redis")),
            table.Column("all", per_id("cpu")),
        ],
    )
    return results


class Huge(threading.Thread):
    """A caller who sends huge requests, one after the other."""

    def __init__(self, port, body):
        super().__init__(daemon=True)
        self.port = port
        self.body = body.encode()
        self.ended = threading.Event()
        self.count = 0
        self.wrong = None

    def run(self):
        peer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HUGE_LIMIT_S)
        try:
            while not self.ended.is_set():
                peer.request("POST", "/method", self.body)
                answer = peer.getresponse()
                answer.read()
                if answer.status != 200:
                    self.wrong = "%d to a huge request" % answer.status
                    break
                self.count += 1
        except (OSError, http.client.HTTPException) as error:
            self.wrong = "no answer to a huge request: %r" % error
        finally:
            peer.close()

    def stop(self):
        self.ended.set()
        self.join()
        if self.wrong:
            raise Failure(self.wrong)


def measure_beside(bench, settings, target, body):
    huge = Huge(target.port, body) if body else None
    if huge:
        huge.start()
    try:
        figures = bench.run(
            workloads.hot_scores(),
            target,
            settings.seconds,
            SMALL_CONNECTIONS,
            SMALL_PER_S,
        )
    finally:
        if huge:
            huge.stop()
    figures["huge"] = huge.count if huge else 0
    return figures


def held_up(bench, settings):
    """Small requests beside huge ones, also with only one worker."""
    many = workloads.interests_question(0, HUGE_IDS).body
    large = workloads.score_body("%010d" % 1, padding=HUGE_KIB * 1024)
    batch = workloads.batch_question(0, HUGE_BATCH, explain=True).body
    rows = [
        ("%s, %s" % (name, of), target, body)
        for target, of in (("service", "all workers"), ("service, 1", "1 worker"))
        for name, body in (
            ("alone", ""),
            ("500 KiB", large),
            ("10,000 ids", many),
            ("1,000 scores", batch),
        )
    ]
    results = {}
    for name, target, body in settings.orders(rows):
        figures = measure_beside(bench, settings, bench.targets.get(target), body)
        results.setdefault(name, []).append(figures)
    table.show(
        "%d small requests/s beside one caller of huge ones" % SMALL_PER_S,
        {row[0]: table.medians(results[row[0]]) for row in rows},
        table.LATENCY
        + [
            table.MAX,
            table.Column("huge", lambda figures: "%d" % figures["huge"]),
            table.ERRORS,
        ],
    )
    return results


def memory(bench, settings):
    """Memory must not grow over hot scores, new scores, interests and refusals."""
    target = bench.targets.get("service")
    asked = [
        workloads.hot_scores(),
        workloads.new_scores(),
        workloads.interests(10),
        workloads.wrong_tokens(),
    ]
    results, done, at = {}, 0, 0
    while done < settings.millions * MILLION:
        figures = bench.run(
            asked[at % len(asked)], target, MEMORY_ROUND_S, settings.connections
        )
        done += figures["requests"]
        at += 1
        figures["kib"] = private_kib(target.pids()["service"])
        figures["done"] = done
        results["%.2f million" % (done / MILLION)] = [figures]
    rows = {name: table.medians(runs) for name, runs in results.items()}
    table.show("private memory after so many requests", rows, [table.MEMORY])
    return results


SECTIONS = {
    "workers": workers,
    "connections": connections,
    "bodies": bodies,
    "ids": ids,
    "huge": held_up,
    "memory": memory,
}


def measure(bench, settings):
    """Returns section -> name -> figures of each round."""
    return {
        name: section(bench, settings)
        for name, section in SECTIONS.items()
        if settings.wants(name)
    }
