#!/usr/bin/python3
"""Makes the first inputs of the fuzz targets out of the rows of the unit tests.

    tests/fuzz/seeds.py FOLDER

Every text that stands in a test file, macros expanded, becomes one input of
each target that can do something with it: FOLDER/<target>/<digest>.
"""
import ast
import functools
import hashlib
import os
import re
import struct
import subprocess
import sys

LITERALS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
HEX = re.compile(r"([0-9a-f]{2}){8,}\Z")
STEP = re.compile(r"([a-zA-Z.]+?)([0-9]*)(?::([0-9]+))?\Z")

# The steps of tests/unit/store/test_store.c as events of fuzz_store.c.
STEPS = {"t": 0, "T": 0, "m": 1, "c": 2, "w": 3, "up": 4, "down": 5, "refuse": 6,
         "ok": 7, "wok": 7, "err": 8, "werr": 8, "oom": 9, "bad": 10}
STEP_MS = 8

# Command lines of `scoring token` and `scoring check-config`.
COMMANDS = [
    b"token --login a", b"token --login=a --account b", b"token --admin", b"token --admin x",
    b"token --login", b"token --log a --acc=", b"token -- --login a", b"token -l a", b"token -",
    b"check-config", b"check-config --help",
]

# What a server of a Cluster says: the map, and where else to ask.
SLOTS = [
    b"\1*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$8\r\n10.0.0.1\r\n:7001\r\n$2\r\nid\r\n"
    b"*2\r\n$2\r\nip\r\n$8\r\n10.0.0.7\r\n",
    b"\1*1\r\n*4\r\n:0\r\n:5\r\n*2\r\n$-1\r\n:7001\r\n*2\r\n$1\r\n?\r\n:7002\r\n",
    b"\0MOVED 3999 127.0.0.1:6381", b"\0ASK 0 ::1:6381", b"\0{a}b", b"\0MOVED 1 :6381",
]

# To MASTER, GET-MASTER-ADDR-BY-NAME, SENTINELS and MYID.
SENTINELS = [
    b"*2\r\n$12\r\nconfig-epoch\r\n$1\r\n7\r\n*2\r\n$9\r\n127.0.0.9\r\n$4\r\n6379\r\n"
    b"*1\r\n*6\r\n$2\r\nip\r\n$9\r\n127.0.0.8\r\n$4\r\nport\r\n$5\r\n26379\r\n"
    b"$5\r\nrunid\r\n$2\r\nit\r\n$2\r\nme\r\n",
    b"-ERR No such master with that name\r\n*-1\r\n-NOPERM no\r\n$2\r\nme\r\n",
]

ARGUMENTS = [
    ("online_score", '{"phone": "79175002040", "email": "@"}'),
    ("clients_interests", '{"client_ids": [1, 2, 3]}'),
    ("online_score", "{}"),
]

REPLIES = [
    b"$5\r\n[\"a\"]\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"-ERR no\r\n",
    b"-WRONGTYPE Operation against a key\r\n", b":1\r\n", b"+OK\r\n",
    b"*2\r\n$1\r\na\r\n$-1\r\n:0\r\n", b"*2\r\n$-1\r\n$-1\r\n:2\r\n+list\r\n+none\r\n",
    b"*-1\r\n", b"*0\r\n", b"*1\r\n*1\r\n:1\r\n", b"*100000\r\n", b"$1000000\r\na",
]

# What a server says to an export, and to an import, with and without AUTH.
SESSIONS = [
    b"\0:0\r\n:3\r\n*2\r\n$1\r\n0\r\n*0\r\n",
    b"\0:0\r\n:3\r\n*2\r\n$1\r\n0\r\n*1\r\n$3\r\ni:1\r\n*1\r\n$5\r\n[\"a\"]\r\n",
    b"\0:1\r\n-NOPERM\r\n*2\r\n$1\r\n0\r\n*2\r\n$3\r\ni:1\r\n$3\r\ni:2\r\n*2\r\n$-1\r\n$-1\r\n"
    b"-WRONGTYPE no\r\n$2\r\n[]\r\n",
    b"\4:0\r\n:9\r\n*2\r\n$1\r\n7\r\n*1\r\n$3\r\ni:1\r\n*1\r\n$-1\r\n*2\r\n$1\r\n0\r\n"
    b"*1\r\n$3\r\ni:2\r\n$-1\r\n*1\r\n$2\r\n[]\r\n",
    b"\2+OK\r\n+OK\r\n:0\r\n:0\r\n*2\r\n$1\r\n0\r\n*0\r\n", b"\2-WRONGPASS no\r\n",
    b"\1:0\r\n+OK\r\n+OK\r\n", b"\5:0\r\n+OK\r\n", b"\5:0\r\n-OOM no\r\n", b"\1-NOPERM no\r\n+OK\r\n",
    b"\1-LOADING no\r\n", b"\0:0\r\n:0\r\n*2\r\n$24\r\n111111111111111111111111\r\n*0\r\n",
]


@functools.cache
def texts(path):
    """The string literals of one file, adjacent ones joined."""
    source = subprocess.run(["gcc", "-E", "-D_GNU_SOURCE", "-Isrc", "-Itests", path], check=True,
                            capture_output=True, encoding="latin-1").stdout
    own, lines = False, []
    for line in source.splitlines():
        if line.startswith("# "):
            own = f'"{path}"' in line
        elif own:
            lines.append(line)
    return [b"".join(ast.literal_eval(f'b"{part}"') for part in LITERAL.findall(run))
            for run in LITERALS.findall("\n".join(lines))]


def rows(*modules):
    for module in modules:
        folder, name = module.split("/")
        yield from texts(f"tests/unit/{folder}/test_{name}.c")


def steps(script):
    """A script of the store's test as pairs of bytes, or None."""
    pairs, now = bytearray(), 0
    for word in script.decode("latin-1").split():
        match = STEP.match(word)
        if not match or match[1] not in STEPS:
            return None
        value = int(match[3] or match[2] or 0)
        if match[1] in "tT":
            now, value = value, value - now
        elif match[3]:
            value = min(max(value - now, 0) // STEP_MS, 255)
        pairs += bytes([STEPS[match[1]], min(max(value, 0), 255)])
    return bytes(pairs)


def request(method, arguments):
    """A body with a good token."""
    return ('{"account": "", "login": "h&f", "token": "%s", "method": "%s", "arguments": %s}' %
            (hashlib.sha512(b"h&fOtus").hexdigest(), method, arguments)).encode()


def record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def exchange(body, keep):
    """The records of a request, as nginx sends them."""
    params = b""
    for name, value in ((b"REQUEST_METHOD", b"POST"), (b"DOCUMENT_URI", b"/method"),
                        (b"CONTENT_LENGTH", b"%d" % len(body)), (b"REQUEST_ID", b"a")):
        params += bytes([len(name), len(value)]) + name + value
    return (record(1, struct.pack(">HB5x", 1, keep)) + record(4, params) + record(4, b"") +
            record(5, body) + record(5, b""))


def inputs():
    for text in rows("base/json", "scoring/api", "scoring/fields"):
        yield "json", text
    for text in rows("scoring/api", "scoring/fields"):
        for choice in range(8):
            yield "api", bytes([choice, 0, 128, 0]) + text + b'\0["a"]\0?\0!'
            yield "api", bytes([choice | 8, 0, 128, 0]) + b'{"explain": true, "clients": [' + text + b"]}"
    for text in rows("scoring/accounts", "base/json"):
        yield "accounts", text
    for text in rows("scoring/model", "base/json"):
        yield "model", text
    for text in rows("config/config", "config/file"):
        yield "settings", b"\0" + text
    for text in rows("redis/url", "config/config"):
        yield "settings", b"\1" + text
    for text in rows("config/config"):
        yield "settings", b"\2" + text + b"\0SCORING_WORKERS=2\0REDIS_URL=unix:///s?db=1"
    for line in COMMANDS:
        yield "command", line.replace(b" ", b"\0")
    for text in rows("fcgi/scan"):
        digits = text.replace(b" ", b"")
        if HEX.match(digits.decode("latin-1")):
            yield "fcgi", b"\7" + bytes.fromhex(digits.decode())
            yield "conn", b"\3\1" + bytes.fromhex(digits.decode())
    for arguments in ARGUMENTS:
        for keep in (0, 1):
            for ending in range(3):
                whole = exchange(request(*arguments), keep)
                yield "conn", bytes([255, ending]) + whole + whole
                yield "conn", bytes([6, ending]) + whole
    for text in rows("cli/line", "base/json"):
        yield "interests", b"\0" + text
        yield "interests", b"\1" + text
    for text in rows("cli/line"):
        yield "interests", b"\2" + text
    for text in rows("base/line_reader", "cli/line"):
        yield "interests", b"\3\x09\0" + text
    for said in SLOTS:
        yield "slots", said
    for replies in SENTINELS:
        yield "sentinels", replies
    for replies in SESSIONS:
        yield "session", replies
    for text in rows("store/store"):
        pairs = steps(text)
        if pairs:
            yield "store", pairs
    for reply in REPLIES:
        for keys in (0, 1, 2):
            yield "replies", bytes([0, keys, 0]) + reply
            yield "replies", bytes([0, keys, 1]) + reply


def main():
    counts = {}
    for target, data in dict.fromkeys(inputs()):  # each once
        folder = os.path.join(sys.argv[1], target)
        if target not in counts:
            os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), "wb") as seed:
            seed.write(data)
        counts[target] = counts.get(target, 0) + 1
    print("seeds: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
