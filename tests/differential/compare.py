#!/usr/bin/python3
"""Compares the service's JSON decoder with Python's over generated texts.

    tests/differential/compare.py DECODE

DECODE is the program made of decode.c. DIFF_TEXTS (100000) is how many texts
there are, DIFF_SEED chooses other ones; the seed in use is printed. Both must
accept the same texts and find the same values in them. A text on which they
differ is printed: it becomes a row of tests/unit/test_json.c.

Python's decoder is strict but for these points, which are made good here: it
takes NaN, Infinity and -Infinity, it refuses integers of more than 4300
digits, and it has no limit of depth of its own. Bytes are checked to be UTF-8
by Python's codec, which refuses overlong forms and surrogates.
"""
import json
import os
import random
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "fuzz"))
import seeds  # noqa: E402

DEPTH_MAX = 32  # of docs/protocol.md, "Transport"
BATCH = 5000
SHOWN_MAX = 10
BROKEN_SHARE = 0.7  # of the texts that are made: with something altered
INT64 = range(-2**63, 2**63)

NUMBERS = [
    "0", "-0", "1", "-1", "10", "0.5", "-0.5", "1e5", "1E+5", "1e-5", "0e0", "-0e-0", "1.0",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "-9223372036854775809", "18446744073709551616", "1e400", "-1e400", "1e-400",
    "123456789012345678901234567890", "0.1234567890123456789", "1" * 5000,
]
STRINGS = [
    "", "a", "\u00e9", "\u20ac", "\U0001f600", "\ud7ff", "\ue000", "\uffff", "\U0010ffff",
    "\u007f", "\u0080", "\ufeff", "/",
    r"\"", r"\\", r"\/", r"\b\f\n\r\t", r"\u0000", r"\u001f", r"\u0041", r"\u00E9", r"\ud834\udd1e",
    r"\ud800", r"\udc00", r"\ud800\ud800", r"\udc00\ud800", r"\ud800\ud834\udd1e", r"\uD836\uDC00",
    r"\ud83f\udfff", r"\ud800x", r"\ud800\n", r"\uffff", r"\uDBFF\uDFFF",
]
SPACES = ["", "", "", " ", "\n", "\t", "\r", "\r\n  "]

# What a text may get in any place. Each is wrong in most of them.
PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"'", b"\\", b"/", b"//x\n", b"/*x*/", b"#", b"0",
    b"-", b"+", b".", b"e", b"E", b"00", b"1.", b".1", b"0x1", b"1e", b"1e+", b"--1",
    b"true", b"True", b"TRUE", b"tru", b"null", b"nul", b"NULL", b"nullx", b"false", b"fals",
    b"NaN", b"nan", b"Infinity", b"-Infinity", b"inf", b"undefined",
    b"\\u", b"\\u00", b"\\uD800", b"\\udc00", b"\\u000g", b"\\U0041", b"\\x41", b"\\a", b"\\'",
    b"\\0", b"\\v", b"\\u 041", b"\\u+041", b"\\u0000",
    b"\0", b"\x01", b"\x1f", b"\x0b", b"\x0c", b"\x7f", b"\n", b"\t", b" ",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xe3\x80\x80",
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x80", b"\xdf\xbf", b"\xe0\x80\x80",
    b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xe2\x82", b"\xed\x9f\xbf", b"\xed\xa0\x80",
    b"\xed\xbf\xbf", b"\xee\x80\x80", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80",
    b"\xf0\x9f\x98", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xd9\xa1",
]

LONE = re.compile("[\ud800-\udfff]")


class Refused(Exception):
    """The text is no JSON, or nested too deeply."""


class Real:
    """A number that is no integer, or one that fits no int64."""


class Maker:
    """Makes texts."""

    def __init__(self, rng, rows):
        self.rng = rng
        self.rows = rows

    def space(self):
        return self.rng.choice(SPACES)

    def number(self):
        if self.rng.random() < 0.6:
            return self.rng.choice(NUMBERS)
        return str(self.rng.randint(-10 ** self.rng.randint(1, 22), 10 ** self.rng.randint(1, 22)))

    def string(self):
        parts = self.rng.choices(STRINGS, k=self.rng.randint(0, 4))
        return '"' + "".join(parts) + '"'

    def container(self, left):
        count = min(self.rng.randint(0, 4), left)
        is_object = self.rng.random() < 0.5
        items = []
        for _ in range(count):
            item = self.space() + self.value(left - 1) + self.space()
            if is_object:
                item = self.space() + self.string() + self.space() + ":" + item
            items.append(item)
        return ("{%s}" if is_object else "[%s]") % (",".join(items) or self.space())

    def value(self, left):
        kind = self.rng.random()
        if kind < 0.4 and left > 0:
            return self.container(left)
        if kind < 0.6:
            return self.string()
        if kind < 0.8:
            return self.number()
        return self.rng.choice(["true", "false", "null"])

    def deep(self):
        """Nested about as deep as is allowed."""
        text = self.value(1)
        for _ in range(self.rng.randint(DEPTH_MAX - 3, DEPTH_MAX + 2)):
            text = ("[%s]" if self.rng.random() < 0.5 else '{"a":%s}') % text
        return text

    def good(self):
        kind = self.rng.random()
        if kind < 0.3:
            return self.rng.choice(self.rows)
        text = self.deep() if kind < 0.35 else self.value(4)
        return (self.space() + text + self.space()).encode("utf-8")

    def altered(self, text):
        at = self.rng.randint(0, len(text))
        to = min(len(text), at + self.rng.randint(1, 3))
        kind = self.rng.randrange(6)
        if kind == 0:
            return text[:at]
        if kind == 1:
            return text[:at] + text[to:]
        if kind == 2:
            return text[:at] + bytes([self.rng.randrange(256)]) + text[at + 1:]
        if kind == 3:
            other = self.good()
            return text[:at] + other[self.rng.randint(0, len(other)):]
        return text[:at] + self.rng.choice(PIECES) + text[at if kind == 4 else to:]

    def text(self):
        text = self.good()
        if self.rng.random() < BROKEN_SHARE:
            for _ in range(self.rng.choice([1, 1, 1, 2, 4])):
                text = self.altered(text)
        return text


def integer(text):
    # int() of more than 4300 digits fails
    value = int(text) if len(text) <= 20 else INT64.stop
    return value if value in INT64 else Real


def constant(text):
    raise Refused(text)


def plain(text):
    return LONE.sub("\ufffd", text) if isinstance(text, str) else text


def members(pairs):
    """As the service has it: a NUL in a name is replaced; the last one counts."""
    return {plain(name).replace("\0", "\uffff"): plain(value) for name, value in pairs}


PYTHON = json.JSONDecoder(object_pairs_hook=members, parse_int=integer, parse_constant=constant,
                          parse_float=lambda text: (Real, float(text)), strict=True)


def settled(value, depth=0):
    """The value with what stands in arrays made plain too; checks the depth."""
    if isinstance(value, (dict, list)) and depth == DEPTH_MAX:
        raise Refused("depth")
    if isinstance(value, dict):
        return {name: settled(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [settled(item, depth + 1) for item in value]
    return plain(value)


def expected(text):
    """The value in a text; raises Refused."""
    try:
        return settled(PYTHON.decode(text.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from error


def is_same(want, got):
    if want is Real:  # its digits are of no use to anybody
        return isinstance(got, tuple)
    if isinstance(want, dict):
        return (isinstance(got, dict) and want.keys() == got.keys()
                and all(is_same(want[name], got[name]) for name in want))
    if isinstance(want, list):
        return (isinstance(got, list) and len(want) == len(got)
                and all(map(is_same, want, got)))
    return type(want) is type(got) and want == got


def decode(program, texts):
    """What the service makes of the texts; None where it refuses."""
    frames = b"".join(struct.pack(">I", len(text)) + text for text in texts)
    output = subprocess.run([program], input=frames, stdout=subprocess.PIPE, check=True).stdout
    at = 0
    for _ in texts:
        length, = struct.unpack_from(">I", output, at)
        at += 4 + length
        yield output[at - length:at] or None


def difference(text, got):
    """What is different, in words, or None; and whether the text is good."""
    try:
        want = expected(text)
    except Refused as refused:
        return None if got is None else f"accepted, but {refused}", False
    if got is None:
        return "refused", True
    value = settled(PYTHON.decode(got.decode("utf-8")))
    return None if is_same(want, value) else f"{value!r} and not {want!r}", True


def main():
    program = sys.argv[1]
    count = int(os.environ.get("DIFF_TEXTS") or 100000)
    seed = int(os.environ.get("DIFF_SEED") or random.randrange(1, 2**31))
    rows = sorted(set(seeds.rows("base/json")))
    maker = Maker(random.Random(seed), rows)
    shown = failed = accepted = done = 0
    print(f"DIFF_SEED={seed}", flush=True)
    while done < count:
        texts = [maker.text() for _ in range(min(BATCH, count - done))]
        for text, got in zip(texts, decode(program, texts)):
            words, is_good = difference(text, got)
            accepted += is_good
            failed += words is not None
            if words and shown < SHOWN_MAX:
                shown += 1
                print(f"FAILED: {text[:300]!r}: {words[:300]}")
        done += len(texts)
    print(f"{count} texts: {accepted} good, {count - accepted} broken")
    print("0 passed, 1 failed" if failed else "1 passed, 0 failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
