#!/usr/bin/python3
"""`make sentinel`: tests the service with a master, two replicas and three sentinels,
under load, while these are killed, frozen, promoted and isolated. Every answer is
checked: scores must be right and in time; interests must be right or 503, and not older
than the data that the master had 0.6 s before.

    sentinel.py BINARY [SCENARIO...]

Prints a line for each scenario. The exit status is 1 if any has failed."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from group import ASKER, NAME, Group, Server, dict_of, now
import stack as stacks

sys.path.insert(0, str(stacks.TOP / "tests/soak"))
import model  # noqa: E402

CLIENTS = 8
SCORE_S = 1.0
INTERESTS_S = 1.05
STALE_S = 0.6
LATE_S = 0.25  # how long this program itself may be delayed
KEY, CLIENT = "i:7", 7
PASSWORD, SENTINEL_PASSWORD = "data-s3cret", "sentinel-s3cret"


class Failed(Exception):
    """The failure of a scenario."""


class Writer(threading.Thread):
    """Writes increasing numbers to the master that the sentinels name."""

    def __init__(self, group):
        super().__init__(daemon=True)
        self.group, self.number, self.stopped = group, 0, False
        self.written = []  # (time of the confirmation, number, port)
        self.switches = []  # (when a sentinel first named the master, port)

    def run(self):
        port = None
        while not self.stopped:
            master = self.group.master()
            if master is not None and master.port != port:
                port = master.port
                self.switches.append((now(), port))
            try:
                self.number += 1
                if master is not None and master.run(
                        "SET", KEY, json.dumps([f"v{self.number}"]), limit_s=0.2) == "OK":
                    self.written.append((now(), self.number, port))
            except (OSError, ValueError):
                pass
            threading.Event().wait(0.02)

    def least(self, at):
        """The least number of an answer to a request at this time: the newest one that
        was written STALE_S earlier, since the current master was named."""
        since = max((when for when, _ in self.switches), default=0)
        newest = [number for when, number, _ in self.written[-400:]
                  if since <= when <= at - STALE_S]
        return newest[-1] if newest and since <= at - STALE_S else 0


class Load:
    """Clients that request scores and interests, in turn, and check the answers."""

    def __init__(self, port, writer):
        self.port, self.writer = port, writer
        self.faults, self.unavailable = [], []
        self.counts = {"scores": 0, "interests": 0, "503": 0}
        self.late_s = 0.0
        self.stopped = False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()), daemon=True)

    async def run(self):
        await asyncio.gather(self.beat(), *(self.client(i) for i in range(CLIENTS)))

    async def beat(self):
        while not self.stopped:
            before = now()
            await asyncio.sleep(0.02)
            self.late_s = max(self.late_s * 0.9, now() - before - 0.02)

    async def client(self, index):
        number = index
        while not self.stopped:
            number += CLIENTS
            await self.ask_score(number % 40)
            await self.ask_interests()
            await asyncio.sleep(0.01)

    async def post(self, envelope):
        body = json.dumps(envelope).encode()
        begin = now()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"POST /method HTTP/1.0\r\nHost: s\r\nContent-Length: %d\r\n\r\n"
                         % len(body) + body)
            answer = await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
        head, _, text = answer.partition(b"\r\n\r\n")
        return begin, now() - begin, int(head.split()[1]), json.loads(text)

    async def ask_score(self, number):
        phone = f"7{number:010d}"
        try:
            _, took, status, answer = await self.post(
                model.signed("online_score", {"phone": phone, "email": f"{number}@b"}))
        except (OSError, ValueError, IndexError, asyncio.TimeoutError) as fault:
            self.faults.append(f"a score failed: {fault!r}")
            return
        self.counts["scores"] += 1
        if status != 200 or answer != {"code": 200, "response": {"score": 3.0}}:
            self.faults.append(f"a score: {answer}")
        if took > SCORE_S + self.late_s + LATE_S:
            self.faults.append(f"a score after {took:.3f} s")

    async def ask_interests(self):
        try:
            begin, took, status, answer = await self.post(
                model.signed("clients_interests", {"client_ids": [CLIENT]}))
        except (OSError, ValueError, IndexError, asyncio.TimeoutError) as fault:
            self.faults.append(f"interests failed: {fault!r}")
            return
        self.counts["interests"] += 1
        if took > INTERESTS_S + self.late_s + LATE_S:
            self.faults.append(f"interests after {took:.3f} s")
        if status == 503:
            self.counts["503"] += 1
            self.unavailable.append(now())
            return
        value = answer.get("response", {}).get(str(CLIENT)) if status == 200 else None
        if not value or not re.fullmatch(r"v\d+", value[0]):
            self.faults.append(f"interests: {status} {answer}")
        elif int(value[0][1:]) < self.writer.least(begin):
            self.faults.append(f"stale: {value[0]}, {self.writer.least(begin)} was there")


class Scene:
    """The group, the service, and the load on it."""

    def __init__(self, folder, binary, **options):
        self.group = Group(folder, **options)
        self.folder, self.binary, self.options = folder, binary, options
        self.stack = self.load = self.writer = None

    def url(self, name=NAME, which=slice(None)):
        hosts = ",".join(f"127.0.0.1:{s.port}" for s in self.group.sentinels[which])
        return f"redis+sentinel://{hosts}/{name}"

    def start_stack(self, url=None):
        self.stack = stacks.Stack(self.folder, self.binary,
                                  REDIS_URL=url or self.url(), SCORING_WORKERS="2")
        if self.group.data[0].password:
            self.stack.environment["REDIS_PASSWORD"] = self.group.data[0].password
        if self.group.sentinels[0].password:
            self.stack.environment["REDIS_SENTINEL_PASSWORD"] = \
                self.group.sentinels[0].password
        if self.options.get("has_names"):
            self.stack.environment["REDIS_SENTINEL_USERNAME"] = ASKER
        self.stack.start()

    def start(self):
        self.group.start()
        self.writer = Writer(self.group)
        self.writer.start()
        stacks.wait_until(lambda: self.writer.written, 10, "nothing is written")
        self.start_stack()
        self.start_load()

    def start_load(self):
        self.load = Load(self.stack.port, self.writer)
        self.load.thread.start()
        self.run_for(1.0)

    def run_for(self, seconds):
        threading.Event().wait(seconds)

    def log(self):
        return self.stack.log.read_text()

    def log_lines(self):
        return [line for line in self.log().splitlines()
                if "store" in line or "cache writes" in line]

    def last_503_after(self, when):
        later = [at for at in self.load.unavailable if at >= when]
        return max(later) - when if later else 0.0

    def settle(self, limit_s=30):
        stacks.wait_until(self.group.is_settled, limit_s, "the group does not settle")

    def stop(self):
        try:
            if self.load is not None:
                self.load.stopped = True
                self.load.thread.join(10)
            if self.writer is not None:
                self.writer.stopped = True
                self.writer.join(5)
            if self.stack is not None and not self.stack.stop():
                raise Failed("the stack did not end in order")
        finally:
            self.group.stop()


def check(is_true, words):
    if not is_true:
        raise Failed(words)


def await_switch(scene, before, limit_s):
    """Waits until another master is named. Returns when a sentinel first named it."""
    stacks.wait_until(lambda: scene.writer.switches[-1][1] != before, limit_s,
                      "no other master is named")
    return scene.writer.switches[-1][0]


def check_outage(scene, begin, promoted, limit_s):
    scene.run_for(2.0)
    last = scene.last_503_after(begin)
    after = last - (promoted - begin)
    check(after <= 0.5 + LATE_S, f"503 until {after:.2f} s after the promotion")
    check(last <= limit_s + LATE_S, f"503 until {last:.2f} s after the fault")
    return f"promotion at {promoted - begin:.2f} s, last 503 at {last:.2f} s"


def killed(scene):
    master = scene.group.master()
    begin = now()
    master.kill()
    promoted = await_switch(scene, master.port, 10)
    told = check_outage(scene, begin, promoted, 3.0)
    count = scene.load.counts["503"]
    master.start()  # it is an empty master until the sentinels demote it
    scene.settle()
    scene.run_for(1.0)
    check(scene.load.counts["503"] == count, "503 when the old master came back")
    return told


def frozen(scene):
    master = scene.group.master()
    begin = now()
    master.freeze()
    promoted = await_switch(scene, master.port, 10)
    told = check_outage(scene, begin, promoted, 3.5)
    count = scene.load.counts["503"]
    master.thaw()
    scene.settle()
    scene.run_for(1.0)
    check(scene.load.counts["503"] == count, "503 when the old master came back")
    return told


def planned(scene):
    scene.run_for(1.0)
    count = scene.load.counts["503"]
    for _ in range(3):
        before = scene.group.master().port
        scene.group.sentinels[0].run("SENTINEL", "FAILOVER", NAME)
        await_switch(scene, before, 10)
        scene.settle()
        scene.run_for(1.0)
    check(scene.load.counts["503"] == count,
          f"{scene.load.counts['503'] - count} requests lost")
    return "3 failovers, 0 requests lost"


def sentinels_gone(scene):
    for sentinel in scene.group.sentinels:
        sentinel.kill()
    scene.run_for(3.0)
    check(scene.load.counts["503"] == 0, "503 without sentinels")
    for sentinel in scene.group.sentinels:
        sentinel.start()
    stacks.wait_until(scene.group.is_agreed, 30, "the sentinels do not agree")
    scene.run_for(1.0)
    before = scene.group.master().port
    scene.group.sentinels[0].run("SENTINEL", "FAILOVER", NAME)
    await_switch(scene, before, 10)
    scene.settle()
    check(scene.load.counts["503"] == 0, "503 in a planned failover after that")
    return "the last master stayed; then 0 requests lost"


def one_frozen(scene):
    """The first sentinel of the URL is frozen."""
    scene.group.sentinels[0].freeze()
    told = killed_without_return(scene)
    scene.group.sentinels[0].thaw()
    return told


def killed_without_return(scene):
    master = scene.group.master()
    begin = now()
    master.kill()
    promoted = await_switch(scene, master.port, 10)
    return check_outage(scene, begin, promoted, 4.0)


def old_epoch(scene):
    """An isolated sentinel returns with an old epoch: it gets its old settings back,
    without the other sentinels and servers that it knew."""
    liar = scene.group.sentinels[2]
    old = scene.group.master()
    kept = liar.config.read_text()
    liar.kill()
    scene.group.sentinels[0].run("SENTINEL", "FAILOVER", NAME)
    await_switch(scene, old.port, 10)
    stacks.wait_until(lambda: old.role() == "slave", 30, "the old master stays one")
    # The old master becomes a master again; no sentinel can demote it now.
    for sentinel in scene.group.sentinels[:2]:
        sentinel.freeze()
    old.run("REPLICAOF", "NO", "ONE")
    old.run("SET", KEY, json.dumps(["v0"]))
    liar.config.write_text(re.sub(r"(?m)^sentinel known-.*\n|^sentinel myid.*\n", "", kept))
    liar.start()
    for sentinel in scene.group.sentinels[:2]:
        sentinel.thaw()
    scene.run_for(2.5)
    return "the old epoch is not believed"


def minority(scene):
    """Only one sentinel is reachable, and it names the old master."""
    lone = scene.group.sentinels[2]
    old = scene.group.master()
    lone.freeze()
    scene.group.sentinels[0].run("SENTINEL", "FAILOVER", NAME)
    await_switch(scene, old.port, 10)
    stacks.wait_until(lambda: old.role() == "slave", 30, "the old master stays one")
    scene.run_for(1.0)
    count = scene.load.counts["503"]
    for sentinel in scene.group.sentinels[:2]:
        sentinel.freeze()
    lone.thaw()
    scene.run_for(2.0)
    check(scene.load.counts["503"] == count, "503 at the word of a minority")
    for sentinel in scene.group.sentinels[:2]:
        sentinel.thaw()
    return "0 requests lost"


def passwords(scene):
    told = killed_without_return(scene)
    text = scene.log() + (scene.folder / "run.out").read_text()
    check(PASSWORD not in text and SENTINEL_PASSWORD not in text, "a password in the log")
    return told


def names(scene):
    """Sentinels announce host names; their user has only the documented rights."""
    told = planned(scene)
    named = scene.group.sentinels[0].run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
    check(named[0] == "localhost", f"the sentinel names {named}")
    denied = [sentinel for sentinel in scene.group.sentinels
              if sentinel.run("ACL", "LOG")]
    check(not denied, "the service asks what the user may not ask")
    return told


def many(scene):
    parent = scene.stack.parent()

    def sizes():
        pids = [parent, *scene.stack.workers()]
        return (sum(stacks.descriptors(pid, scene.stack.run_dir) for pid in pids),
                sum(stacks.private_kib(pid) for pid in pids))

    planned(scene)
    before = sizes()
    for _ in range(6):
        planned(scene)
    after = sizes()
    check(after[0] <= before[0] + 2, f"descriptors: {before[0]} -> {after[0]}")
    check(after[1] <= before[1] + 4096, f"memory: {before[1]} -> {after[1]} KiB")
    return f"21 failovers; {before[0]} -> {after[0]} descriptors, {before[1]} -> {after[1]} KiB"


def late_start(scene):
    """The service starts before the group."""
    scene.start_stack()
    scene.group.start()
    began = now()
    scene.writer = Writer(scene.group)
    scene.writer.start()
    stacks.wait_until(lambda: scene.writer.written, 10, "nothing is written")
    stacks.wait_until(lambda: ready(scene)["store"] == "up", 10, "the store is not found")
    took = now() - began
    scene.start_load()
    scene.run_for(1.0)
    check(scene.load.counts["503"] == 0, "503 after that")
    check(ready(scene).get("role") == "master", "the role is not told")
    return f"found {took:.2f} s after the sentinels agreed"


def wrong_name(scene):
    scene.group.start()
    scene.start_stack(scene.url("other"))
    scene.run_for(2.0)
    lines = [line for line in scene.log_lines() if "the store is down" in line]
    check(len(lines) == 1 and "master other" in lines[0] and
          "knows no master by that name" in lines[0], f"the log: {lines}")
    return lines[0].split("] ")[1]


def scoring(scene, *arguments, text=""):
    done = subprocess.run([scene.binary, *arguments], input=text, text=True,
                          env=scene.stack.environment, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


def lines_of(first, count):
    return "".join(json.dumps({"client_id": first + i, "interests": [f"x{first + i}"]}) + "\n"
                   for i in range(count))


def commands(scene):
    """Import and export find the master, before and after a failover; a replica must
    confirm what import reports as written."""
    for round_ in range(2):
        first = 1000 + 2000 * round_
        status, _, said = scoring(scene, "interests", "import", "-",
                                  text=lines_of(first, 2000))
        check(status == 0, f"import: {status} {said}")
        replica = next(s for s in scene.group.data if s is not scene.group.master())
        check(scene.group.master().run("EXISTS", f"i:{first + 1999}") == 1, "not written")
        status, out, said = scoring(scene, "interests", "export", "-")
        check(status == 0 and f'"client_id": {first},' in out,
              f"export: {status} {said}")
        if round_ == 0:
            before = scene.group.master()
            before.kill()
            await_switch(scene, before.port, 10)
            before.start()
            scene.settle()
    # No replica confirms: import must not report clients as written.
    for server in scene.group.data:
        if server is not scene.group.master():
            server.freeze()
    status, _, said = scoring(scene, "interests", "import", "--timeout", "2", "-",
                              text=lines_of(9000, 10))
    check(status == 69 and "no replica has confirmed" in said and
          "at least the first 0 clients" in said, f"import without replicas: {status} {said}")
    for server in scene.group.data:
        server.thaw()
    status, _, said = scoring(scene, "interests", "import", "-", text="")
    for sentinel in scene.group.sentinels:
        sentinel.kill()
    status, _, said = scoring(scene, "interests", "export", "-")
    check(status == 69 and "connection refused" in said, f"without sentinels: {status} {said}")
    return "import and export"


def ready(scene):
    import urllib.request
    with urllib.request.urlopen(f"http://127.0.0.1:{scene.stack.port}/readyz") as answer:
        return json.load(answer)


SECRETS = {"password": PASSWORD, "sentinel_password": SENTINEL_PASSWORD}
SCENARIOS = {  # name: function, whether the load runs from the beginning, lines, options
    "killed": (killed, True, 10, {}),
    "frozen": (frozen, True, 10, {}),
    "planned": (planned, True, 10, {}),
    "sentinels gone": (sentinels_gone, True, 10, {}),
    "one frozen": (one_frozen, True, 10, {}),
    "old epoch": (old_epoch, True, 10, {}),
    "minority": (minority, True, 10, {}),
    "late start": (late_start, False, 10, {}),
    "wrong name": (wrong_name, False, 10, {}),
    "passwords": (passwords, True, 10, SECRETS),
    "names": (names, True, 10, {**SECRETS, "has_names": True}),
    "commands": (commands, True, 10, {}),
    "many": (many, True, 100, {}),
}


def play(name, binary):
    function, is_loaded, lines_max, options = SCENARIOS[name]
    with tempfile.TemporaryDirectory(prefix="scoring-sentinel-") as folder:
        scene = Scene(Path(folder), binary, **options)
        try:
            if is_loaded:
                scene.start()
            lines = len(scene.log_lines()) if is_loaded else 0
            told = function(scene)
            if scene.load is not None:
                check(not scene.load.faults, "; ".join(scene.load.faults[:5]))
                told += ", " + ", ".join(f"{k} {v}" for k, v in scene.load.counts.items())
            more = scene.log_lines()[lines:]
            check(len(more) <= lines_max, f"{len(more)} lines of log")
            print(f"{name}: {told}, {len(more)} lines of log", flush=True)
            if os.environ.get("SENTINEL_LOG"):
                print("\n".join(scene.log_lines()), flush=True)
            return True
        except (Failed, stacks.Failure) as fault:
            print(f"FAILED: {name}: {fault}", flush=True)
            if scene.load is not None:
                print(f"  {scene.load.counts}, {len(scene.load.faults)} faults: "
                      f"{scene.load.faults[:5]}", flush=True)
            log = scene.folder / "service.log"
            print("\n".join(scene.log_lines()[-20:]) if log.exists() else "", flush=True)
            return False
        finally:
            scene.stop()


def main():
    names = sys.argv[2:] or list(SCENARIOS)
    failed = [name for name in names if not play(name, os.path.abspath(sys.argv[1]))]
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
