"""The settings of a run, from the environment."""
import os

from processes import Failure


def number(name, default):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) == 0:
        raise Failure('%s: "%s": must be a whole number above 0' % (name, text))
    return int(text)


class Settings:
    def __init__(self):
        self.seconds = number("BENCH_SECONDS", 3)
        self.rounds = number("BENCH_ROUNDS", 4)
        self.connections = number("BENCH_CONNECTIONS", 64)
        self.millions = number("BENCH_MILLIONS", 1)
        self.only = [
            part.strip()
            for part in os.environ.get("BENCH_ONLY", "").split(",")
            if part.strip()
        ]
        self.is_scaling = bool(os.environ.get("BENCH_SCALING"))
        self.may_sleep = bool(os.environ.get("BENCH_SLEEP"))
        self.against = os.environ.get("BENCH_AGAINST")
        self.json = os.environ.get("BENCH_JSON")

    def wants(self, name):
        return not self.only or any(part in name for part in self.only)

    def orders(self, rows):
        """The rows of each round: alternately forwards and backwards."""
        for i in range(self.rounds):
            print("round %d of %d" % (i + 1, self.rounds), flush=True)
            yield from rows if i % 2 == 0 else rows[::-1]
