"""Prints figures as tables."""
import statistics

KIB_PER_MIB = 1024
US_PER_MS = 1000


class Column:
    def __init__(self, title, text, width=8):
        self.title = title
        self.text = text  # figures -> text
        self.width = width


def milliseconds(key):
    return lambda figures: "%.2f" % (figures[key] / US_PER_MS)


def decimal(key):
    return lambda figures: "%.1f" % figures[key]


RPS = Column("req/s", lambda figures: "%.0f" % figures["rps"])
LATENCY = [
    Column("p50 ms", milliseconds("p50")),
    Column("p99 ms", milliseconds("p99")),
    Column("p99.9 ms", milliseconds("p999")),
]
MAX = Column("max ms", milliseconds("max"))
CPU = [
    Column("nginx", decimal("cpu_nginx")),
    Column("service", decimal("cpu_service")),
    Column("Redis", decimal("cpu_redis")),
    Column("CPU us", decimal("cpu")),
]
COMMANDS = Column("commands", lambda figures: "%.2f" % figures["commands"])
MEMORY = Column("MiB", lambda figures: "%.1f" % (figures["kib"] / KIB_PER_MIB), 6)
ERRORS = Column("errors", lambda figures: "%d" % figures["errors"], 6)

USUAL = [RPS] + LATENCY + CPU + [COMMANDS, MEMORY, ERRORS]


def ratio(title, key, base):
    """The ratio to a row that was measured in the same run."""
    return Column(
        title,
        lambda figures: "%.2f" % (figures[key] / base[key]) if base else "-",
        len(title),
    )


def medians(runs):
    """The medians of all rounds; the sum of errors."""
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    middle["errors"] = sum(run["errors"] for run in runs)
    return middle


def show(title, rows, columns):
    """rows: name -> figures."""
    name_width = max(len(name) for name in rows)
    print("\n%s" % title)
    heads = [column.title.rjust(column.width) for column in columns]
    print("  ".join([" " * name_width] + heads))
    for name, figures in rows.items():
        cells = [column.text(figures).rjust(column.width) for column in columns]
        print("  ".join([name.ljust(name_width)] + cells), flush=True)
