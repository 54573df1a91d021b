#!/usr/bin/python3
"""Compares how `scoring check-config --get`, which `make run` uses, and docker compose
read odd lines of a file of settings. Without docker compose that half is skipped; it
needs no container engine.

    tests/dotenv.py BINARY

The last line is "N passed, N failed", or with ", N skipped".
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

NAME = "REDIS_PASSWORD"
ERROR = None  # the service refuses the line, because compose would read it differently

# name, content of the file, value. Source: docs/operations.md, "The file".
ROWS = [
    ("plain", "REDIS_PASSWORD=secret\n", "secret"),
    ("CRLF", "REDIS_PASSWORD=secret\r\n", "secret"),
    ("no line end", "REDIS_PASSWORD=secret", "secret"),
    ("byte order mark", "\ufeffREDIS_PASSWORD=secret\n", "secret"),
    ("export", "export REDIS_PASSWORD=secret\n", "secret"),
    ("blanks", "  REDIS_PASSWORD =  se cret \t\n", "se cret"),
    ("comment", "REDIS_PASSWORD=secret # words\n", "secret"),
    ("number sign", "REDIS_PASSWORD=a#b#\n", "a#b#"),
    ("number sign first", "REDIS_PASSWORD=#a\n", "#a"),
    ("empty", "REDIS_PASSWORD=\n", ""),
    ("empty quotes and a comment", "REDIS_PASSWORD='' # words\n", ""),
    ("single quotes", "REDIS_PASSWORD='se # $x ${y} \\n \"cret' # w\n", 'se # $x ${y} \\n "cret'),
    ("quote in single quotes", "REDIS_PASSWORD='it\\'s'\n", "it's"),
    ("two backslashes in single quotes", "REDIS_PASSWORD='a\\\\'\n", "a\\\\"),
    ("double quotes", 'REDIS_PASSWORD="se # cret" # words\n', "se # cret"),
    ("escapes", 'REDIS_PASSWORD="a\\n\\r\\t\\a\\b\\f\\v\\\\\\"\\$x"\n', 'a\n\r\t\a\b\f\v\\"$x'),
    ("what is no escape", 'REDIS_PASSWORD="\\q\\x41\\c"\n', "\\q\\x41\\c"),
    ("backslashes outside of quotes", "REDIS_PASSWORD=a\\nb\\\n", "a\\nb\\"),
    ("quotes within", "REDIS_PASSWORD=it's \"a\"\n", "it's \"a\""),
    ("dollar that is no variable", "REDIS_PASSWORD=a$5$ b$\n", "a$5$ b$"),
    ("per cent", "REDIS_PASSWORD=%41%s\n", "%41%s"),
    ("equals sign", "REDIS_PASSWORD=a=b\n", "a=b"),
    ("other alphabets", "REDIS_PASSWORD=пароль€\n", "пароль€"),
    ("the last one wins", "REDIS_PASSWORD=a\nREDIS_PASSWORD=b\n", "b"),
    ("a variable", "REDIS_PASSWORD=a$HOME\n", ERROR),
    ("braces", "REDIS_PASSWORD=a${HOME}\n", ERROR),
    ("two dollars", "REDIS_PASSWORD=a$$b\n", ERROR),
    ("a variable in double quotes", 'REDIS_PASSWORD="a$HOME"\n', ERROR),
    ("octal", 'REDIS_PASSWORD="\\0101"\n', ERROR),
    ("no-break space at the end", "REDIS_PASSWORD=a\u00a0\n", ERROR),
    ("two lines", "REDIS_PASSWORD='a\nb'\n", ERROR),
    ("colon", "REDIS_PASSWORD: a\n", ERROR),
]

COMPOSE_FILE = """
services:
  x:
    image: x
    env_file: [settings]
    environment: {SEEN: "${REDIS_PASSWORD-}"}
"""


def ask_service(binary, path):
    """The value, or ERROR."""
    done = subprocess.run(
        [binary, "check-config", "--get", NAME, "--secret"],
        env={"SCORING_CONFIG_FILE": str(path)},
        capture_output=True,
        check=False,
    )
    return ERROR if done.returncode else done.stdout.decode()[:-1]


def ask_compose(folder):
    """The value that a container gets from the file, and the value of `${NAME}`."""
    command = ["docker", "compose", "--project-directory", ".", "--env-file", "settings"]
    done = subprocess.run(
        command + ["-f", "compose.yml", "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return done.stderr.decode(), None
    given = json.loads(done.stdout)["services"]["x"]["environment"]
    # The output is a compose file again: each '$' is doubled.
    return tuple(given[name].replace("$$", "$") for name in (NAME, "SEEN"))


def has_compose():
    try:
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    compose = has_compose()
    passed = failed = skipped = 0
    if not compose:
        print("skipped: docker compose is not installed")
    with tempfile.TemporaryDirectory(prefix="scoring-dotenv-") as name:
        folder = pathlib.Path(name)
        (folder / "compose.yml").write_text(COMPOSE_FILE)
        for row, content, want in ROWS:
            (folder / "settings").write_bytes(content.encode())
            got = {"the service": ask_service(binary, folder / "settings")}
            if compose and want is not ERROR:
                got["a container"], got["compose"] = ask_compose(folder)
            skipped += 2 * (want is not ERROR and not compose)
            for who, value in got.items():
                if value == want:
                    passed += 1
                else:
                    failed += 1
                    print(f"FAILED: {row}: {who}: {value!r}, not {want!r}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed != 0


sys.exit(main())
