#!/usr/bin/python3
"""`make trace`: lists the functions of src/ that one cached score passes through.

    way.py BINARY [FUNCTIONS FILES]

BINARY must be built without optimization, so that no function is inlined; callgrind
counts the calls of one request. Functions for buffers and bytes are not counted, nor is
what only starts the worker. With the two limits, the exit status is 1 if there are more
functions or files.
"""
import collections
import glob
import os
import re
import shutil
import sys
import tempfile

import workloads
from instructions import NGINX, START_LIMIT_S, answers, send, start_service
from processes import Failure, end, spawn, wait_until
from servers import Redis, Stack

ASIDE = ("base/buf.", "base/bytes.", "main.", "cli/command.", "serve/supervisor.")
NAME = re.compile(r"^(c?f[lie]|c?fn)=\((\d+)\)(?: (.*))?$")


def functions(path):
    """{file of src/: {function: calls}}, from a dump of callgrind."""
    names, calls = {}, collections.defaultdict(collections.Counter)
    file = called_file = called = None
    with open(path) as lines:
        for line in lines:
            match = NAME.match(line.rstrip("\n"))
            if match:
                kind, number, text = match.groups()
                key = ("file" if "f" == kind.lstrip("c")[0] and "n" not in kind else "fn", number)
                if text is not None:
                    names[key] = text
                if kind in ("fl", "fi", "fe"):
                    file = names[key]
                elif kind in ("cfl", "cfi", "cfe"):
                    called_file = names[key]
                elif kind == "fn":
                    called_file = None
                else:
                    called = names[key]
            elif line.startswith("calls="):
                where = called_file or file
                called_file = None
                if "/src/" in "/" + where:
                    short = where[("/" + where).rindex("/src/") + 4 :]
                    calls[short][called.split("'")[0]] += int(line[6:].split()[0])
    return calls


def trace(folder, binary, redis):
    """The dump of one cached score."""
    stack = Stack(os.path.join(folder, "stack"), binary, redis.url)
    stack.start()
    stack.stop()
    nginx = None
    service = start_service(stack)
    try:
        config = stack.run_dir / "nginx/nginx.conf"
        log = config.with_suffix(".log")
        nginx = spawn([NGINX, "-e", log, "-p", stack.run_dir, "-c", config], stack.output)
        wait_until(lambda: answers(stack.port), START_LIMIT_S, "does not start")
        body = workloads.hot_scores().bodies[:1]
        send(stack.port, body, 3)
        service.zero()
        send(stack.port, body, 1)
        service.count()
        return max(glob.glob(service.out + ".*"), key=lambda file: os.stat(file).st_mtime_ns)
    finally:
        end(nginx)
        end(service.process)


def main():
    binary, *limits = sys.argv[1:]
    folder = tempfile.mkdtemp(prefix="scoring-trace-")
    redis = Redis(folder, workloads.redis_contents())
    try:
        redis.refresh()
        found = functions(trace(folder, os.path.abspath(binary), redis))
    except (Failure, OSError) as failure:
        print("trace: VOID: %s" % failure, file=sys.stderr)
        return 1
    finally:
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)
    found = {file: calls for file, calls in found.items() if not file.startswith(ASIDE)}
    for file in sorted(found):
        print("%s: %s" % (file, " ".join(sorted(found[file]))))
    total = sum(len(calls) for calls in found.values())
    print("a cached score: %d functions in %d files" % (total, len(found)))
    return 1 if limits and (total > int(limits[0]) or len(found) > int(limits[1])) else 0


if __name__ == "__main__":
    sys.exit(main())
