#!/usr/bin/python3
"""`make bench`: measures requests, and compares them with the ceilings: nginx alone,
and a minimal FastCGI service.

    bench.py BINARY TOOLS

BINARY is the service, TOOLS the folder of delay, echo and rate. Measures in rounds,
alternately forwards and backwards, so that drift affects all rows equally, and prints
medians. A wrong answer voids the run: exit status 1. Environment, with defaults:

    BENCH_SECONDS      of one measurement (3)
    BENCH_ROUNDS       number of rounds (4)
    BENCH_CONNECTIONS  of wrk (64)
    BENCH_ONLY         parts of the names of rows, or with BENCH_SCALING of
                       sections, separated by commas (all)
    BENCH_AGAINST      another binary of the service, measured in the same run
    BENCH_JSON         file that gets the figures of every round
    BENCH_SCALING      1: runs the measurements of scaling.py instead
    BENCH_MILLIONS     of requests, over which memory should not grow (1)
    BENCH_SLEEP        1: lets idle processors sleep, see awake.py
"""
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import scaling
import throughput
from awake import keep_awake
from measure import Bench
from processes import TOP, Failure
from settings import Settings
from targets import Targets


def said(*command):
    done = subprocess.run(
        command, cwd=TOP, stdout=subprocess.PIPE, universal_newlines=True
    )
    return done.stdout.strip()


def processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def circumstances(is_awake):
    """The command, commit and machine of the figures."""
    variables = [
        "%s=%s" % (name, shlex.quote(value))
        for name, value in sorted(os.environ.items())
        if name.startswith("BENCH_") and name != "BENCH_JSON"
    ]
    return {
        "command": " ".join(["make", "bench"] + variables),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "commit": said("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "machine": {
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "kernel": os.uname().release,
            "kept_awake": is_awake,
            "load_before": os.getloadavg(),
        },
    }


def keep(path, about, results):
    with open(path, "w") as file:
        json.dump(dict(about, runs=results), file, indent=1)
        file.write("\n")


def run(settings, binary, tools):
    # The path of a socket must be short.
    folder = tempfile.mkdtemp(prefix="scoring-bench-")
    targets = None
    try:
        targets = Targets(folder, binary, tools, settings.against)
        bench = Bench(folder, targets)
        for name in ("service", "against") if settings.against else ("service",):
            bench.check_contract(targets.get(name))
        measure = scaling.measure if settings.is_scaling else throughput.measure
        return measure(bench, settings)
    finally:
        if targets:
            targets.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    binary, tools = (os.path.abspath(path) for path in sys.argv[1:3])
    try:
        settings = Settings()
        awake = None if settings.may_sleep else keep_awake()
        about = circumstances(awake is not None)
        results = run(settings, binary, tools)
        if settings.json:
            keep(settings.json, about, results)
    except (Failure, OSError) as failure:
        print("bench: VOID: %s" % failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
