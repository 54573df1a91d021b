#!/usr/bin/python3
"""Writes figures into a document, from files that BENCH_JSON has named.

    report.py [--only SECTION] DOCUMENT FILE...

They replace the text between two marks. If files have the same section, the last one
wins.
"""
import json
import sys

import table
import throughput

BEGIN = "<!-- figures: begin; written by tests/bench/report.py -->\n"
END = "<!-- figures: end -->\n"
US_PER_MS = 1000
ECHO = "libfcgi echo"


def ms(key):
    return lambda figures: "%.2f" % (figures[key] / US_PER_MS)


def us(key):
    return lambda figures: "%.1f" % figures[key]


def thousands(figures):
    return "{:,.0f}".format(figures["rps"])


RATE = [("requests/s", thousands)]
LATENCY = [("p50 ms", ms("p50")), ("p99 ms", ms("p99")), ("p99.9 ms", ms("p999"))]
MAX = [("longest ms", ms("max"))]
SPREAD = [
    ("p99/p50", throughput.spread),
    ("of 0.1 s", throughput.tenth_spread),
]
CPU = [
    ("nginx µs", us("cpu_nginx")),
    ("service µs", us("cpu_service")),
    ("Redis µs", us("cpu_redis")),
    ("CPU µs", us("cpu")),
]
COMMANDS = [("Redis commands", lambda figures: "%.2f" % figures["commands"])]
MEMORY = [("MiB", lambda figures: "%.1f" % (figures["kib"] / table.KIB_PER_MIB))]


def against_echo(rows):
    if ECHO not in rows:
        return []
    echo = rows[ECHO]["cpu"]
    return [("CPU/echo", lambda figures: "%.2f" % (figures["cpu"] / echo))]


def per_id(key):
    return lambda figures: "%.2f" % (figures[key] / figures["ids"])


IDS = [
    ("service µs/id", per_id("cpu_service")),
    ("Redis µs/id", per_id("cpu_redis")),
    ("CPU µs/id", per_id("cpu")),
]

# Section of the file: heading, and rows -> columns.
SECTIONS = {
    "saturated": (
        "As many requests as there can be, 64 connections (8 for batches of 1000):",
        lambda rows: RATE + LATENCY + CPU + against_echo(rows) + COMMANDS + MEMORY,
    ),
    "steady": (
        "At a constant rate, half of what hot scores reach, from the time each "
        "request is due:",
        lambda rows: RATE + LATENCY + MAX + SPREAD,
    ),
    "away": (
        "Hot scores from a Redis that is further away, %d connections (the "
        "proxy that delays its replies costs much of the CPU):"
        % throughput.AWAY_CONNECTIONS,
        lambda rows: RATE + LATENCY,
    ),
    "workers": ("Workers:", lambda rows: RATE + LATENCY + CPU + MEMORY),
    "connections": (
        "Client connections, hot scores:",
        lambda rows: RATE + LATENCY + CPU + MEMORY,
    ),
    "bodies": ("Size of the body:", lambda rows: RATE + LATENCY + CPU),
    "ids": (
        "Number of ids in a request for interests:",
        lambda rows: RATE + LATENCY + CPU + IDS,
    ),
    "huge": (
        "1000 small requests/s beside one caller who sends huge ones in a row:",
        lambda rows: LATENCY + MAX,
    ),
}


def lines_of(name, runs):
    heading, columns_for = SECTIONS[name]
    rows = {row: table.medians(rounds) for row, rounds in runs.items()}
    columns = columns_for(rows)
    yield ""
    yield heading
    yield ""
    yield "| | %s |" % " | ".join(title for title, _ in columns)
    yield "|---|%s" % ("---:|" * len(columns))
    for row, figures in rows.items():
        yield "| %s | %s |" % (row, " | ".join(text(figures) for _, text in columns))


def memory_lines(runs):
    figures = [rounds[0] for rounds in runs.values()]
    mib = [one["kib"] / table.KIB_PER_MIB for one in figures]
    yield ""
    yield (
        "Private memory of all processes of the service over %.1f million mixed "
        "requests: %.1f MiB after the first %.1f million, %.1f MiB at the end, "
        "%.1f MiB at most."
        % (
            figures[-1]["done"] / 1e6,
            mib[0],
            figures[0]["done"] / 1e6,
            mib[-1],
            max(mib),
        )
    )


def introduction(about):
    machine = about["machine"]
    return (
        "Measured on %s on %d cores (%s), shared by the load, nginx, the service "
        "and Redis%s. Medians of all rounds; CPU is user and system time per "
        "request."
        % (
            about["date"][:10],
            machine["cores"],
            machine["processor"],
            ", and kept from sleeping" if machine.get("kept_awake") else "",
        )
    )


def text_of(paths, only):
    about, runs = None, {}
    for path in paths:
        with open(path) as file:
            kept = json.load(file)
        about = about or kept
        runs.update((name, rows) for name, rows in kept["runs"].items() if rows)
    lines = [introduction(about)]
    for name in SECTIONS:
        if name in runs and only in (None, name):
            lines += lines_of(name, runs[name])
    if "memory" in runs and only is None:
        lines += memory_lines(runs["memory"])
    return "\n".join(lines) + "\n"


def main():
    arguments, only = sys.argv[1:], None
    if arguments[:1] == ["--only"]:
        only, arguments = arguments[1], arguments[2:]
    document, paths = arguments[0], arguments[1:]
    with open(document) as file:
        text = file.read()
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not paths or not found or not closed:
        print("report: no files, or no marks in %s" % document, file=sys.stderr)
        return 1
    with open(document, "w") as file:
        file.write(before + BEGIN + "\n" + text_of(paths, only) + "\n" + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
