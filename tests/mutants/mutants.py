#!/usr/bin/python3
"""Changes the sources at one place at a time, and checks whether a test fails.

    mutants.py [--count N] [--goal PER_CENT] [--seed S] [--jobs N] [--files PART]...
    mutants.py --check     only whether each entry of equivalent.txt matches a change

Each change is built like the project (a warning is an error), with ASan and UBSan, and
the unit tests run; if they pass, and integration.txt has a line for the file, also the
integration tests of that line. A test kills a change only if it fails also alone,
because many run at a time. Changes that survive are printed. Changes that do not
compile, that compile to the same code, and those that equivalent.txt explains, are not
counted. Everything happens in copies below build/mutants. The exit status is 1 if the
percentage of killed changes is below the goal."""

import argparse
import fcntl
import os
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import changes

TOP = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WORK = TOP / "build" / "mutants"
BUILD_LIMIT_S = 300
UNIT_LIMIT_S = 120
INTEGRATION_LIMIT_S = 180
ANY = "*"  # in equivalent.txt: every change of the line
JOBS = "2"  # suites at a time, in each of the copies
ROW_LIMIT_S = "30"
RUNS = 3  # repetitions while a failed test passes alone
MAKE = ["make", "-s", f"-j{os.cpu_count()}", "V=1", "VARIANT=mutants", "CFLAGS=-O1 -g0",
        "CFLAGS_mutants=-fsanitize=address,undefined -fno-sanitize-recover=all "
        "-fno-omit-frame-pointer",
        "LDFLAGS_mutants=-fsanitize=address,undefined"]
BUILT = "build/mutants"
# The programs that every change must pass.
QUICK = ["unit"] + (["memory"] if (TOP / "tests" / "memory").is_dir() else [])


def sources(parts):
    files = sorted(path.relative_to(TOP).as_posix() for path in (TOP / "src").rglob("*.c"))
    return [file for file in files if not parts or any(part in file for part in parts)]


def read_integration():
    """File -> filters of the integration tests that test it."""
    table = {}
    for line in (HERE / "integration.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            file, *filters = line.split()
            table[file] = filters
    return table


def read_equivalents():
    """(file, line, changed line) of every equivalent change."""
    blocks = (HERE / "equivalent.txt").read_text().split("\n\n")
    found = set()
    for block in blocks:
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        if len(lines) < 4 or not lines[3].startswith("because "):
            sys.exit(f"mutants: equivalent.txt: no reason beside: {block}")
        file, before, after = lines[0], lines[1], lines[2]
        found.add((file, before.removeprefix("- "), after.removeprefix("+ ")))
    return found


class Copy:
    """A copy of the checkout, for one change at a time."""

    def __init__(self, number):
        self.top = WORK / f"copy{number}"

    def make(self):
        """Copies the checkout, and builds and tests it without a change."""
        shutil.rmtree(self.top, ignore_errors=True)
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP,
                                check=True, capture_output=True, text=True).stdout
        for name in listed.splitlines():
            if (TOP / name).is_file():
                target = self.top / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(TOP / name, target)
        if not self.build("scoring", "integration", *QUICK):
            sys.exit("mutants: the sources do not build as they are")
        if not self.unit_passes():
            sys.exit("mutants: the unit tests fail as they are")

    def take(self, other):
        """Copies another copy with its objects."""
        shutil.rmtree(self.top, ignore_errors=True)
        shutil.copytree(other.top, self.top, symlinks=True)

    def build(self, *targets):
        return subprocess.run(MAKE + [f"{BUILT}/{target}" for target in targets], cwd=self.top,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=BUILD_LIMIT_S).returncode == 0

    def unit_passes(self):
        return all(self.passes(name, None, UNIT_LIMIT_S) for name in QUICK)

    def own_unit_passes(self, file):
        """The tests of the module itself: they are fast, and most likely to fail."""
        path = Path(file)
        name = f"{path.parent.name}/{path.stem}"
        return not (TOP / "tests" / "unit" / path.parent.name / f"test_{path.stem}.c").is_file() or \
            self.passes("unit", f"{name}/", UNIT_LIMIT_S)

    def integration_passes(self, name):
        return self.passes("integration", name, INTEGRATION_LIMIT_S)

    def passes(self, program, name, limit_s):
        command = [f"{BUILT}/{program}"]
        for _ in range(RUNS):
            passed, failed = self.run(command + ([name] if name else []), limit_s)
            if passed:
                return True
            if failed is None or not self.run(command + ["--row", failed], limit_s)[0]:
                return False
        return False

    def run(self, command, limit_s):
        """Whether all tests pass, and the name of the first one that failed, if it was a
        test that failed; ends then."""
        environment = dict(os.environ, RUN_BINARY=str(self.top / BUILT / "scoring"),
                           JOBS=JOBS, ROW_LIMIT_S=ROW_LIMIT_S)
        process = subprocess.Popen(command, cwd=self.top, env=environment, text=True,
                                   errors="replace", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        # All of them: what it started holds its output open, too.
        timer = threading.Timer(limit_s, self.end_late, [process.pid])
        self.is_late = False
        timer.start()
        failed = None
        for line in process.stdout:
            if line.startswith("FAILED: "):
                failed = line.removeprefix("FAILED: ").partition(": tests/")[0]
                # TERM and not KILL, so that it ends what it has started.
                process.send_signal(signal.SIGTERM)
                break
        process.stdout.close()
        status = process.wait()
        timer.cancel()
        end_session(process.pid)
        return status == 0 and failed is None, failed

    def end_late(self, session):
        self.is_late = True
        end_session(session)

    def judge(self, what, filters):
        """"killed", "late" if by the limit of time, "survived", "no" if it does not compile, or "same"."""
        path = self.top / what.file
        built = self.top / BUILT / what.file.replace(".c", ".o")
        text, good = path.read_text(), built.read_bytes()
        times = os.stat(path)
        path.write_text(text[:what.start] + what.new + text[what.end:])
        try:
            if not self.build("scoring", *QUICK):
                return "no"
            if built.read_bytes() == good:
                return "same"  # not compiled here, or for the compiler the same
            if not self.own_unit_passes(what.file) or not self.unit_passes():
                return "late" if self.is_late else "killed"
            if filters and self.build("integration") and \
                    not all(self.integration_passes(name) for name in filters):
                return "late" if self.is_late else "killed"
            return "survived"
        finally:
            path.write_text(text)
            os.utime(path, (times.st_atime, times.st_mtime))
            built.write_bytes(good)


def session_of(pid):
    """The session of a process; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[3])
    except (OSError, ValueError):
        return 0


def end_session(session):
    """Kills all its processes, also those in other groups, and those forked meanwhile."""
    for _ in range(10):
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        left = [pid for pid in pids if session_of(pid) == session]
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not left:
            return


class Run:
    """The sample, shared by the copies; prints the results."""

    def __init__(self, sample, count, integration, verbose):
        self.waiting = queue.SimpleQueue()
        for what in sample:
            self.waiting.put(what)
        self.count, self.integration, self.verbose = count, integration, verbose
        self.lock = threading.Lock()
        self.killed = self.late = self.survived = self.refused = self.same = 0

    def is_done(self):
        return self.killed + self.survived >= self.count

    def work(self, copy):
        while not self.is_done():
            try:
                what = self.waiting.get_nowait()
            except queue.Empty:
                return
            result = copy.judge(what, self.integration.get(what.file, []))
            with self.lock:
                self.take(what, result)

    def take(self, what, result):
        if result == "no":
            self.refused += 1
        elif result == "same":
            self.same += 1
        elif self.is_done():
            pass  # the wanted number has been reached
        elif result in ("killed", "late"):
            self.killed += 1
            self.late += result == "late"
        else:
            self.survived += 1
            print(f"survived: {what.file}:{what.line}\n  - {what.before}\n  + {what.after}",
                  flush=True)
        if self.verbose:
            print(f"... {self.killed} killed ({self.late} by time), {self.survived} survived",
                  file=sys.stderr, flush=True)


def rows_for(what):
    """The entries of equivalent.txt that match a change."""
    return {(what.file, what.before, what.after), (what.file, what.before, ANY)}


def draw(parts, seed):
    """All changes but the equivalent ones, in an order from the seed. Exits if an entry of
    equivalent.txt matches no change."""
    found = []
    defaults = changes.defaults_of((TOP / "src/config/settings.c").read_text())
    for file in sources(parts):
        found += changes.changes_of(file, (TOP / file).read_text(), defaults)
    known = {row for what in found for row in rows_for(what)}
    equivalent = read_equivalents()
    stale = [row for row in equivalent if row not in known and row[0] in sources(parts)]
    for row in stale:
        print(f"mutants: equivalent.txt: matches no change: {row}")
    if stale:
        sys.exit(1)
    random.Random(seed).shuffle(found)
    return [what for what in found if not equivalent & rows_for(what)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--goal", type=int, default=90)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=2 * os.cpu_count())
    parser.add_argument("--files", action="append", default=[])
    parser.add_argument("--unit-only", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(1 << 32)
    return given


def main():
    given = arguments()
    if given.check:
        draw([], 0)
        return 0
    WORK.mkdir(parents=True, exist_ok=True)
    lock = open(WORK / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("mutants: another run is in progress")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sample = draw(given.files, given.seed)
    print(f"mutants: {len(sample)} possible, {given.count} wanted, "
          f"MUTANTS_SEED={given.seed}", flush=True)
    integration = {} if given.unit_only else read_integration()
    run = Run(sample, given.count, integration, given.verbose)
    copies = [Copy(i) for i in range(given.jobs)]
    copies[0].make()
    for copy in copies[1:]:
        copy.take(copies[0])
    threads = [threading.Thread(target=run.work, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = run.killed + run.survived
    share = 100 * run.killed / total if total else 0
    print(f"mutants: {run.killed} of {total} killed: {share:.1f} % "
          f"(seed {given.seed}; {run.late} killed by the limit of time; "
          f"{run.refused} did not compile, {run.same} compiled to the same)")
    return 0 if share >= given.goal else 1


if __name__ == "__main__":
    sys.exit(main())
