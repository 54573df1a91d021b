#!/usr/bin/python3
"""Mixed load through nginx while workers are killed, the service is reloaded, and Redis
is frozen, killed and restarted, at random times from a seed. Every answer is compared
with the model's; memory and descriptors must not grow.

    soak.py BINARY SECONDS [SEED]

The last line has the sums. The exit status is 0 if none is wrong, hung or failed. The
seed determines the faults and the requests, but not which requests a fault affects."""

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import stack as stacks  # noqa: E402

CLIENTS = 12
WORKERS = 4
PAUSE_MAX_S = 0.03  # of a client between two requests
HUNG_S = 10
# docs/protocol.md, S20: any answer within 1 s, recovery within 2 s.
ANSWER_S = 1.0
RECOVERY_S = 2.0
BEAT_S = 0.02  # the interval at which this program measures its own delay
TOLD_MAX = 20  # faults that are printed in full

# How much memory may grow, because of the allocator, and because a worker may have had
# no large request during the warm-up.
PARENT_KIB = 256
WORKER_KIB = 8192
SETTLE_S = 10


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes


@dataclass
class Fault:
    at: float  # seconds from the start
    kind: str
    lasts: float  # seconds of an outage of the store
    pick: int  # selects a worker


def plan_faults(rng, seconds):
    """Draws the faults and their times. Outages of the store do not overlap, and between
    them it is up long enough to check the recovery."""
    faults, at, store_free = [], 0.5, 1.0
    while at < seconds - 1:
        kind = rng.choices(["kill worker", "reload", "freeze", "kill store"],
                           [5, 1, 2, 2])[0]
        lasts = round(rng.choice([0.1, rng.uniform(0.2, 1), rng.uniform(1, 4)]), 2)
        pick = rng.randrange(1000)
        if kind in ("freeze", "kill store"):
            at = max(at, store_free)
            if at + lasts + RECOVERY_S > seconds:
                break
            store_free = at + lasts + RECOVERY_S + 1.5
        faults.append(Fault(round(at, 2), kind, lasts, pick))
        at += rng.uniform(0.3, 1.5)
    return faults


class Tally:
    """Counts, and the times of faults, with which answers are judged."""

    def __init__(self):
        self.requests = self.faults = self.wrong = self.hung = self.failed = 0
        self.away = []  # [begin, end] of outages of the store; end: None: not over
        self.restarts = []  # when a worker was killed, or the service reloaded
        self.beats = []  # (when, seconds) of delays of this program

    def tell(self, what, request, detail=""):
        if self.wrong + self.hung + self.failed <= TOLD_MAX:
            print(f"{what}: {request.verb} {request.path} {request.body[:300]!r} {detail}",
                  flush=True)

    def late_s(self, start, end):
        return sum(late for when, late in self.beats[-1000:] if start <= when <= end + BEAT_S)

    def store_may_be_away(self, start, end):
        slack = RECOVERY_S + self.late_s(start - RECOVERY_S, end)
        return any(start <= (to if to is not None else end) + slack and end >= begin
                   for begin, to in self.away[-3:])

    def limit_s(self, start, end):
        """How long a request may take. If its worker dies, another one handles it, and
        has its own second. Delays of this program are added."""
        tries = 1 + sum(start <= when <= end for when in self.restarts[-20:])
        return ANSWER_S * tries + self.late_s(start, end)


class Client:
    """One kept connection."""

    def __init__(self, port, name):
        self.port, self.name, self.count = port, name, 0
        self.reader = self.writer = None

    async def send(self, request):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(
                "127.0.0.1", self.port, limit=1 << 24)
        self.count += 1
        name = f"{self.name}-{self.count}"
        head = (f"{request.verb} {request.path} HTTP/1.1\r\nHost: soak\r\n"
                f"X-Request-ID: {name}\r\nContent-Length: {len(request.body)}\r\n\r\n")
        self.writer.write(head.encode() + request.body)
        try:
            await self.writer.drain()
        except ConnectionError:
            pass  # refused before all was sent: there is an answer
        answer = await self.read_answer()
        if answer.headers.get("connection") == "close":
            self.close()
        if answer.headers.get("x-request-id") != name:
            raise ValueError("the answer to another request")
        return answer

    async def read_answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {}
        for line in head[1:-2]:
            key, value = line.split(":", 1)
            headers[key.lower()] = value.strip()
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(head[0].split()[1]), headers, body)

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def one_request(client, request, tally):
    start = time.monotonic()
    tally.requests += 1
    try:
        answer = await asyncio.wait_for(client.send(request), HUNG_S)
    except asyncio.TimeoutError:
        tally.hung += 1
        tally.tell("hung", request)
        client.close()
        return
    except (OSError, EOFError, ValueError, KeyError, IndexError,
            asyncio.LimitOverrunError) as fault:
        tally.failed += 1
        tally.tell("failed", request, repr(fault))
        client.close()
        return
    end = time.monotonic()
    judge(request, answer, start, end, tally)


def judge(request, answer, start, end, tally):
    took = end - start
    if answer.status in (502, 504):
        tally.failed += 1
        tally.tell("failed", request, f"{answer.status} after {took:.3f} s")
        return
    wrong = model.fault_of(request, answer, tally.store_may_be_away(start, end))
    if wrong is None and took > tally.limit_s(start, end):
        wrong = "late"
    if wrong is not None:
        tally.wrong += 1
        tally.tell("wrong", request,
                   f"{wrong}; after {took:.3f} s: {answer.status} {answer.body[:300]!r}")


async def run_client(client, requests, rng, tally, stop):
    while not stop.is_set():
        await one_request(client, requests.draw(rng), tally)
        await asyncio.sleep(rng.random() * PAUSE_MAX_S)
    client.close()


async def beat(tally, stop):
    while not stop.is_set():
        before = time.monotonic()
        await asyncio.sleep(BEAT_S)
        late = time.monotonic() - before - BEAT_S
        if late > BEAT_S:
            tally.beats.append((time.monotonic(), late))


async def store_back(redis, tally):
    while not redis.is_up():
        await asyncio.sleep(BEAT_S)
    tally.away[-1][1] = time.monotonic()


async def run_fault(fault, stack, redis, tally):
    if fault.kind == "kill worker":
        workers = stack.workers()
        if workers:
            tally.restarts.append(time.monotonic())
            os.kill(workers[fault.pick % len(workers)], signal.SIGKILL)
    elif fault.kind == "reload":
        tally.restarts.append(time.monotonic())
        os.kill(stack.parent(), signal.SIGHUP)
    elif fault.kind == "freeze":
        tally.away.append([time.monotonic(), None])
        redis.freeze()
        await asyncio.sleep(fault.lasts)
        redis.thaw()
        await store_back(redis, tally)
    elif fault.kind == "kill store":
        tally.away.append([time.monotonic(), None])
        redis.kill()
        await asyncio.sleep(fault.lasts)
        redis.launch()
        await store_back(redis, tally)


async def run_faults(faults, stack, redis, tally):
    start, under_way = time.monotonic(), []
    for fault in faults:
        await asyncio.sleep(max(0, start + fault.at - time.monotonic()))
        if fault.kind in ("freeze", "kill store"):
            # Outages of the store must not overlap, even on a slow machine.
            await asyncio.gather(*under_way)
            under_way = []
        tally.faults += 1
        under_way.append(asyncio.create_task(run_fault(fault, stack, redis, tally)))
    await asyncio.gather(*under_way)


async def load(stack, redis, seed, name, seconds, faults, tally):
    """Runs the load for so many seconds, with these faults."""
    requests, stop = model.Model(random.Random(seed)), asyncio.Event()
    tasks = [asyncio.create_task(beat(tally, stop))]
    for i in range(CLIENTS):
        client = Client(stack.port, f"{name}{i}")
        rng = random.Random(f"{seed} {name} {i}")
        tasks.append(asyncio.create_task(run_client(client, requests, rng, tally, stop)))
    await asyncio.gather(asyncio.sleep(seconds), run_faults(faults, stack, redis, tally))
    stop.set()
    await asyncio.gather(*tasks)


def measure(stack):
    """Memory (KiB) and descriptors of each process, by pid."""
    found = {pid: (stacks.private_kib(pid), stacks.descriptors(pid, stack.run_dir))
             for pid in [stack.parent()] + stack.workers()}
    return {pid: pair for pid, pair in found.items() if None not in pair}


def growth(stack, before):
    """Texts that describe what has grown. Descriptors must not grow at all."""
    now, parent = measure(stack), stack.parent()
    workers = {pid: pair for pid, pair in now.items() if pid != parent}
    first = [pair for pid, pair in before.items() if pid != parent]
    if len(workers) != WORKERS or parent not in before:
        return [f"{len(workers)} workers instead of {WORKERS}"]
    found = []
    limits = {pid: (max(pair[0] for pair in first) + WORKER_KIB,
                    max(pair[1] for pair in first)) for pid in workers}
    limits[parent] = (before[parent][0] + PARENT_KIB, before[parent][1])
    for pid, (kib_max, descriptors_max) in limits.items():
        kib, descriptors = now[pid]
        if kib > kib_max:
            found.append(f"process {pid}: {kib} KiB, expected at most {kib_max}")
        if descriptors > descriptors_max:
            found.append(f"process {pid}: {descriptors} descriptors, "
                         f"expected at most {descriptors_max}")
    return found


def settled_growth(stack, before):
    """The same, after waiting for workers that start or exit."""
    end = time.monotonic() + SETTLE_S
    while (found := growth(stack, before)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def show(what, stack):
    rows = measure(stack)
    print(f"{what}: {sum(kib for kib, _ in rows.values())} KiB, "
          f"{sum(count for _, count in rows.values())} descriptors "
          f"in {len(rows)} processes", flush=True)
    return rows


async def soak(stack, redis, seed, seconds, tally):
    """A warm-up; then all faults; then only outages of the store, so that the same
    workers have many of them, which shows small leaks."""
    rng = random.Random(seed)
    warm_s = min(15, max(3, seconds * 0.1))
    rest_s = seconds - warm_s
    await load(stack, redis, seed, "w", warm_s, [], tally)
    before = show("after the warm-up", stack)
    await load(stack, redis, seed, "a", rest_s * 0.65, plan_faults(rng, rest_s * 0.65), tally)
    found = settled_growth(stack, before)
    middle = show("after all kinds of faults", stack)
    faults = [fault for fault in plan_faults(rng, rest_s * 0.35)
              if fault.kind in ("freeze", "kill store")]
    await load(stack, redis, seed, "s", rest_s * 0.35, faults, tally)
    found += settled_growth(stack, before)
    if show("after faults of the store", stack).keys() != middle.keys():
        found.append("a worker has died without being killed")
    return found


def run(binary, seconds, seed):
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        redis = stacks.Redis(Path(folder) / "redis")
        port = int(os.environ.get("HTTP_PORT") or 0)
        stack = stacks.Stack(folder, binary, port, REDIS_URL=redis.url,
                             SCORING_WORKERS=str(WORKERS))
        try:
            redis.start()
            redis.run_all([*model.store_commands(), ("SAVE",)])
            stack.start()
            found = asyncio.run(soak(stack, redis, seed, seconds, tally))
        finally:
            stopped = stack.stop()
            redis.kill()
    if not stopped:
        found.append("the stack did not stop in order")
    for line in found:
        print(f"not flat: {line}")
    print(f"soak: seed {seed}: {tally.requests} requests, {tally.faults} faults, "
          f"{tally.wrong} wrong, {tally.hung} hung, {tally.failed} failed")
    bad = tally.wrong + tally.hung + tally.failed + len(found)
    return 0 if bad == 0 and tally.requests > 0 and tally.faults > 0 else 1


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    seed = int(sys.argv[3]) if len(sys.argv) == 4 else random.SystemRandom().randrange(1 << 32)
    print(f"soak: {sys.argv[2]} s, SOAK_SEED={seed}", flush=True)
    try:
        sys.exit(run(Path(sys.argv[1]).resolve(), float(sys.argv[2]), seed))
    except stacks.Failure as fault:
        sys.exit(f"soak: {fault}")


if __name__ == "__main__":
    main()
