#!/usr/bin/python3
"""`make check-upgrade`: replaces the program of the last release by that of this checkout
under load, and back, like the package: the file is replaced, and the service ends and
starts again on the same socket, behind nginx.

    upgrade.py BINARY

The last release, see CONTRIBUTING.md, "Releasing", is built once, in
build/last-release. If it cannot be built, the test is skipped. The last line is
"N passed, N failed", or with ", N skipped"."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/soak"))
from load import PATIENCE_S, Load  # noqa: E402
import stack as stacks  # noqa: E402

TURNS = 3  # up, down and up again
UNRELEASED = "## [Unreleased]"
CHANGELOG = "CHANGELOG.md"

results = {"passed": 0, "failed": 0}


def check(name, good, detail=""):
    results["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED {name}: {detail}", flush=True)


class NoRelease(Exception):
    """The last release is not available, for this reason."""


# --- the last release

def git(*words):
    """The output of git; None if it fails."""
    done = subprocess.run(["git", "-C", str(TOP), *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def last_release():
    """The commit of the newest tag before this commit; without any tag, the commit before
    "Unreleased" was added to CHANGELOG.md."""
    if shutil.which("git") is None or git("rev-parse", "HEAD") is None:
        raise NoRelease("this is not a git checkout")
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
    if tag is not None:
        return git("rev-parse", f"{tag}^{{commit}}")
    touched = git("log", "--format=%H", f"-S{UNRELEASED}", "--", CHANGELOG) or ""
    for commit in touched.split():
        before = git("rev-parse", "--verify", "--quiet", f"{commit}^")
        if before is not None and UNRELEASED in git("show", f"{commit}:{CHANGELOG}"):
            return before
    raise NoRelease("the git history does not contain the last release")


def build(commit):
    """Builds a commit. Returns its folder, with the program at build/release/scoring."""
    folder = TOP / "build/last-release" / commit
    if (folder / ".complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "CCACHE_DIR")
                   if name in os.environ}
    with open(folder / "log", "wb") as log:
        done = subprocess.run(
            ["bash", "-c", 'set -o pipefail; git -C "$0" archive "$1" | tar x && '
             'make -s -j"$(nproc)" all WERROR= CFLAGS=-O0', str(TOP), commit],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if done.returncode != 0:
        raise NoRelease(f"the last release does not build: see {folder}/log")
    (folder / ".complete").touch()
    return folder


# --- the installed program

class Installed:
    """The installed program behind nginx; keeper.sh keeps its socket and restarts it, like
    systemd."""

    def __init__(self, folder, redis, new):
        self.program, self.new = folder / "scoring", new
        self.stack = stacks.Stack(folder, TOP / "tests/upgrade/keeper.sh", REDIS_URL=redis.url,
                                  SCORING_WORKERS="2", UPGRADE_PROGRAM=str(self.program),
                                  UPGRADE_NEW=str(new))

    def put(self, binary):
        """Installs a program like dpkg: first under another name."""
        beside = self.program.with_suffix(".dpkg-new")
        shutil.copy2(binary, beside)
        beside.rename(self.program)

    def parent(self):
        """The parent of the service, or None while it does not run."""
        return next(iter(self.stack.workers()), None)

    def is_another(self, before):
        parent = self.parent()
        return parent not in (None, before) and len(stacks.children(parent)) > 0

    def replace(self, binary, number=signal.SIGTERM):
        before = self.parent()
        self.put(binary)
        os.kill(before, number)
        stacks.wait_until(lambda: self.is_another(before), PATIENCE_S,
                          "the service has not been started again")


def runs(installed, binary):
    """Whether this program runs, and not its predecessor."""
    return Path(f"/proc/{installed.parent()}/exe").read_bytes() == Path(binary).read_bytes()


def upgrade(installed, redis, old, new):
    check("the last release runs", runs(installed, old))
    with Load(installed.stack.port) as load:
        keys = redis.run("DBSIZE")
        for turn in range(TURNS):
            to = new if turn % 2 == 0 else old
            installed.replace(to)
            load.wait_for_more()
            check(f"turn {turn + 1} replaces it", runs(installed, to))
        installed.replace(new, signal.SIGKILL)
        load.wait_for_more()
        check("it is started again when it is killed", runs(installed, new))
    check("no request is lost", load.answers > 0 and not load.wrong,
          f"{len(load.wrong)} of {load.answers}: {load.wrong[:3]}")
    check("a score that one has cached is a hit for the other",
          keys == redis.run("DBSIZE") == 1, keys)


def check_settings(source, new):
    """Checks that the new program accepts the example settings of the last release."""
    done = subprocess.run([new, "check-config"], capture_output=True, text=True,
                          env={"SCORING_CONFIG_FILE": str(source / ".env.example")})
    check("the settings of the last release are good", done.returncode == 0, done.stderr)


def play(folder, source, new):
    old = source / "build/release/scoring"
    redis = stacks.Redis(folder / "redis")
    installed = Installed(folder, redis, new)
    check_settings(source, new)
    try:
        redis.start()
        installed.put(old)
        installed.stack.start()
        upgrade(installed, redis, old, new)
        check("it ends in order", installed.stack.stop())
    finally:
        installed.stack.stop()
        redis.kill()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        source = build(last_release())
        with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
            play(Path(folder), source, Path(sys.argv[1]).resolve())
    except NoRelease as reason:
        print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
        return
    except stacks.Failure as fault:
        check("the stack", False, fault)
    print("{passed} passed, {failed} failed".format(**results))
    sys.exit(results["failed"] > 0)


if __name__ == "__main__":
    main()
