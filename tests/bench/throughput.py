"""Throughput, and latency at a part of it, compared with the ceilings."""
import os

import table
import workloads

HALF = 0.5  # of the saturated rate
QUARTER = 0.25  # of the saturated rate: the proxy uses CPU, too
STEADY = "at half the rate"
STEADY_CEILING = "at half the rate, ceiling"
STEADY_ALONE = "at half the rate, nginx alone"
AWAY_MS = (0, 1, 5)
AWAY = "Redis %d ms away"
AWAY_CONNECTIONS = 1024  # enough to saturate it although each waits 5 ms
HOT, ECHO, ALONE = "scores, hot", "libfcgi echo", "nginx alone"


def cells(settings):
    """The rows of each round: (name, workload, name of the target)."""
    found = []
    for workload in workloads.standard():
        if not settings.wants(workload.name):
            continue
        found.append((workload.name, workload, workload.target))
        if settings.against and workload.target == "service":
            found.append((workload.name + " *", workload, "against"))
    return found


def measure_saturated(bench, settings):
    rows, results = cells(settings), {}
    for name, workload, target in settings.orders(rows):
        figures = bench.run(
            workload,
            bench.targets.get(target),
            settings.seconds,
            workload.connections(settings.connections),
        )
        results.setdefault(name, []).append(figures)
    if results:
        show_saturated({row[0]: results[row[0]] for row in rows}, settings)
    return results


def show_saturated(results, settings):
    rows = {name: table.medians(runs) for name, runs in results.items()}
    echo, alone = rows.get(ECHO), rows.get(ALONE)
    table.show(
        "saturated by %d connections (%d with large bodies); medians of %d rounds; "
        "CPU in us a request"
        % (settings.connections, workloads.LARGE_AT_ONCE, settings.rounds),
        rows,
        table.USUAL
        + [
            table.ratio("CPU/echo", "cpu", echo),
            table.ratio("req/s/echo", "rps", echo),
            table.ratio("CPU/nginx", "cpu", alone),
        ],
    )
    if settings.against:
        print("* " + os.path.abspath(settings.against))


def saturated_rate(bench, settings, results):
    """Requests per second of hot scores, measured now if they were not before."""
    if HOT not in results:
        workload, target = workloads.hot_scores(), bench.targets.get("service")
        runs = [bench.run(workload, target, settings.seconds, settings.connections)]
    else:
        runs = results[HOT]
    return table.medians(runs)["rps"]


def measure_steady(bench, settings, saturated):
    """Latency at half the rate, as under an ordinary load."""
    rows = [
        (STEADY, workloads.hot_scores(), "service"),
        (STEADY_CEILING, workloads.ceiling(STEADY_CEILING, "echo"), "echo"),
        (STEADY_ALONE, workloads.ceiling(STEADY_ALONE, "nginx"), "nginx"),
    ]
    rows = [row for row in rows if settings.wants(row[0])]
    per_s, results = saturated(HALF), {}
    for name, workload, target in settings.orders(rows):
        figures = bench.run(
            workload,
            bench.targets.get(target),
            settings.seconds,
            settings.connections,
            per_s,
        )
        results.setdefault(name, []).append(figures)
    table.show(
        "%.0f requests/s, half of what hot scores reach; from the time they are due"
        % per_s,
        {name: table.medians(runs) for name, runs in results.items()},
        [table.RPS]
        + table.LATENCY
        + [
            table.MAX,
            table.Column("p99/p50", spread),
            table.Column("of 0.1 s", tenth_spread),
        ]
        + table.CPU
        + [table.ERRORS],
    )
    return results


def spread(figures):
    return "%.2f" % (figures["p99"] / figures["p50"])


def tenth_spread(figures):
    """The median of this ratio within each tenth of a second."""
    return "%.2f" % figures["tenth_spread"]


def measure_away(bench, settings, saturated):
    """With a proxy that delays Redis's replies by 0, 1 and 5 ms."""
    rows = []
    for away_ms in AWAY_MS:
        name, target = AWAY % away_ms, "service, %d ms" % away_ms
        rows.append((name, target, None))
        rows.append((name + ", at a quarter", target, QUARTER))
    results = {}
    for name, target, part in settings.orders(rows):
        figures = bench.run(
            workloads.hot_scores(),
            bench.targets.get(target),
            settings.seconds,
            AWAY_CONNECTIONS,
            part and saturated(part),
        )
        results.setdefault(name, []).append(figures)
    table.show(
        "hot scores, %d connections, Redis behind a proxy; saturated, and at a "
        "quarter of the rate above" % AWAY_CONNECTIONS,
        {row[0]: table.medians(results[row[0]]) for row in rows},
        [table.RPS] + table.LATENCY + table.CPU + [table.ERRORS],
    )
    return results


def measure(bench, settings):
    """Returns section -> name -> figures of each round."""
    results = {"saturated": measure_saturated(bench, settings)}
    rate = []

    def saturated(part):
        if not rate:
            rate.append(saturated_rate(bench, settings, results["saturated"]))
        return rate[0] * part

    if settings.wants(STEADY):
        results["steady"] = measure_steady(bench, settings, saturated)
    if settings.wants("Redis away"):
        results["away"] = measure_away(bench, settings, saturated)
    return results
