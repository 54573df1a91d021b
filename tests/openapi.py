#!/usr/bin/python3
"""Compares docs/openapi.json with the code and with the running service.

    tests/openapi.py BINARY TABLES

The document must have exactly the methods, members of a request and statuses of the
tables of the code, which TABLES prints. Then the whole stack runs: every example request
must get the answer with its name; every error is provoked, even that of a service that
is down; for each kind of field the schema and the service must agree on values from
both sides of every boundary.

The last line is "N passed, N failed". Needs python3-jsonschema.
"""
import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/support"))
import stack as stacks  # noqa: E402

DOCUMENT = json.loads((TOP / "docs/openapi.json").read_text())
OPERATION = DOCUMENT["paths"]["/method"]["post"]
JSON = "application/json"
READY_S = 30
BODY_MAX = 1048576  # the default of SCORING_MAX_BODY_BYTES
SPOOL_SHARE = 31  # how many bodies of that size one address may send at once

formats = FormatChecker(formats=())
results = {"passed": 0, "failed": 0}


@formats.checks("int64")
def is_int64(value):
    return not isinstance(value, int) or -2**63 <= value < 2**63


def check(name, good, detail=""):
    results["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED {name}: {detail}")


def check_equal(name, got, want):
    check(name, got == want, f"got {got!r}, wanted {want!r}")


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def faults(schema, value):
    """The errors of a value by a schema of the document."""
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = Draft202012Validator(whole, format_checker=formats)
    return [error.message for error in validator.iter_errors(value)]


def response_of(status, operation=OPERATION):
    return resolve(operation["responses"][str(status)])


def examples_of(status, operation=OPERATION):
    content = response_of(status, operation)["content"][JSON]
    return {name: e["value"] for name, e in content["examples"].items()}


# --- the tables of the code

def source(name):
    return (TOP / "src" / name).read_text()


def tables():
    """The tables of the code, as docs/tables.c prints them."""
    printed = subprocess.run(sys.argv[2], check=True, stdout=subprocess.PIPE)
    return json.loads(printed.stdout)


def mapping_of_methods():
    """{method: name of the schema of its request}"""
    body = OPERATION["requestBody"]["content"][JSON]["schema"]
    return {method: target.rsplit("/", 1)[1] for method, target
            in body["discriminator"]["mapping"].items()}


def check_fields():
    """Checks the members of a request; `make docs` writes the arguments."""
    code, schemas = tables(), DOCUMENT["components"]["schemas"]
    check_equal("methods", list(mapping_of_methods()),
                [method["name"] for method in code["methods"]])
    for name in mapping_of_methods().values():
        members = schemas[name]["properties"]
        check_equal(f"{name}: fields", list(members),
                    [row["name"] for row in code["members"]])
        check_equal(f"{name}: required", schemas[name]["required"],
                    [row["name"] for row in code["members"]
                     if row["is_required"]])
        for member in ("account", "login", "token"):
            check_schema(f"{name}.{member}", members[member], member.title())


def check_schema(name, schema, want):
    check_equal(name, schema.get("$ref"), f"#/components/schemas/{want}")


def check_methods():
    body = OPERATION["requestBody"]["content"][JSON]["schema"]
    check_equal("methods have a schema each",
                list(body["discriminator"]["mapping"].values()),
                [choice["$ref"] for choice in body["oneOf"]])
    for method, name in mapping_of_methods().items():
        schema = DOCUMENT["components"]["schemas"][name]
        check_equal(f"{method}: const",
                    schema["properties"]["method"]["const"], method)


def check_statuses():
    rows = [row for row in tables()["statuses"] if row["is_of_service"]]
    api = [(str(row["code"]), row["reason"], row["header"].split(":")[0])
           for row in rows]
    template = (TOP / "nginx/templates/scoring.conf.template").read_text()
    nginx = dict(re.findall(r'^    ([45]\d\d) "(.*)";', template, re.M))
    told = {str(row["code"]) for row in tables()["statuses"]}
    documented = set(OPERATION["responses"])
    check_equal("statuses of the code are documented",
                {code for code, _, _ in api} - documented, set())
    check_equal("statuses of the protocol are documented",
                told - documented, {"308"})  # of GET alone, where HTTPS is on
    check_equal("documented statuses exist",
                documented - set(nginx) - {code for code, _, _ in api}, set())
    for code, _, header in api:
        wanted = {"X-Request-ID", header} - {""}
        if code in documented:
            check_equal(f"{code}: headers",
                        set(response_of(code)["headers"]), wanted)


def check_request_headers():
    """Checks the headers that the site reads from requests to methods: not those for
    files, nor the host, which is for a redirect to HTTPS."""
    template = (TOP / "nginx/templates/scoring.conf.template").read_text()
    template = re.sub(r"proxy_set_header .*|^map \$http_host .*", "", template,
                      flags=re.M)
    read = {name.replace("_", "-")
            for name in re.findall(r"\$http_(\w+)", template)}
    check_equal("headers that are read",
                {name.lower() for name in request_headers()}, read)


def request_headers():
    """{request header: its schema}"""
    return {node["name"]: node["schema"] for node in OPERATION["parameters"]
            if node["in"] == "header"}


def values_max():
    """The most JSON values of a body: S6.2."""
    return 10000 + 2 * DOCUMENT["components"]["schemas"]["ClientIds"]["maxItems"]


def check_limits():
    settings = (TOP / ".env.example").read_text()
    ids = DOCUMENT["components"]["schemas"]["ClientIds"]["maxItems"]
    guide = (TOP / "docs/api.md").read_text()
    changes = (TOP / "CHANGELOG.md").read_text()
    version = re.search(r"^## \[(\d[\d.]*)\]", changes, re.M)
    records = DOCUMENT["components"]["schemas"]["Records"]["maxItems"]
    check("records at most", f"SCORING_MAX_CLIENTS={records}\n" in settings)
    check("client_ids at most", f"SCORING_MAX_CLIENT_IDS={ids}\n" in settings
          and f"| {ids} |" in guide)
    check("largest body and most values",
          all(str(most) in text for most in (BODY_MAX, values_max())
              for text in (guide, response_of(413)["description"])))
    check_equal("version", DOCUMENT["info"]["version"], version[1])


# --- the running service

class Stack(stacks.Stack):
    """A stack to which requests are sent."""

    def line_of(self, request_id):
        """Waits for the log line of a request."""
        line = re.compile(rf"^.* id={re.escape(request_id)} .*\n", re.M)
        end = time.monotonic() + READY_S
        while not (found := line.search(self.log.read_text())):
            if time.monotonic() > end:
                return ""
            time.sleep(0.05)
        return found[0]

    def service(self):
        return [self.parent()] + self.workers()

    def redis(self, *command):
        subprocess.run(["redis-cli", "-s", self.run_dir / "redis/redis.sock",
                        *command], check=True, stdout=subprocess.DEVNULL)

    def send(self, body, verb="POST", path="/method", headers=None):
        """(status, headers, body) of one request, on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=20)
        try:
            connection.request(verb, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def send_raw(self, head):
        """The same, for a request that no client library sends."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as raw:
            raw.sendall(head.encode())
            answer = http.client.HTTPResponse(raw)
            answer.begin()
            return answer.status, answer.headers, answer.read()


@contextlib.contextmanager
def run_stack(binary, **settings):
    with tempfile.TemporaryDirectory(prefix="scoring-openapi.") as folder, \
            Stack(folder, binary, SCORING_WORKERS="1", **settings) as stack:
        yield stack


def check_answer(name, answer, status, operation=OPERATION):
    """Checks status, headers and body by the document. Returns the body."""
    got, headers, text = answer
    if got != status:
        check(name, False, f"got {got}, wanted {status}: {text[:200]!r}")
        return None
    response = response_of(status, operation)
    body = json.loads(text)
    wrong = faults(response["content"][JSON]["schema"], body)
    for header, node in response["headers"].items():
        if header not in headers:
            wrong.append(f"no {header}")
            continue
        wrong += faults(resolve(node)["schema"], headers[header])
    if headers.get_content_type() != JSON:
        wrong.append(headers.get_content_type())
    check(name, not wrong, wrong)
    return body


def check_example(name, status, answer, operation=OPERATION):
    body = check_answer(f"{status} {name}", answer, status, operation)
    if body is not None:
        check_equal(f"{status} {name}: as documented", body,
                    examples_of(status, operation)[name])


def check_requests(stack):
    """Each example request must get the example answer of the same name."""
    content = OPERATION["requestBody"]["content"][JSON]
    statuses = {name: int(status) for status in OPERATION["responses"]
                for name in examples_of(status)}
    stack.redis("MSET", "i:1", '["books", "hi-tech"]', "i:2", '["pets"]')
    for name, example in content["examples"].items():
        status, request = statuses.get(name), example["value"]
        if status is None:
            check(f"request {name}", False, "has no answer")
            continue
        check_example(name, status, stack.send(json.dumps(request)))
        fits = not faults(content["schema"], request)
        check_equal(f"request {name} fits its schema", fits, status != 422)
    others = set(statuses) - set(content["examples"])
    check_equal("the other answers are provoked", others, set(ERRORS))


def interests_request(**changes):
    examples = OPERATION["requestBody"]["content"][JSON]["examples"]
    return json.dumps({**examples["interests"]["value"], **changes})


def send_damaged(stack):
    stack.redis("SET", "i:3", "no list")
    return stack.send(interests_request(arguments={"client_ids": [3]}))


def send_too_many(stack):
    for _ in range(100):
        answer = stack.send("{}")
        if answer[0] == 429:
            break
    return answer


def send_many_bodies(stack):
    head = f"POST /method HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_MAX}\r\n\r\n"
    with contextlib.ExitStack() as held:
        for _ in range(SPOOL_SHARE + 1):
            upload = socket.create_connection(("127.0.0.1", stack.port), 20)
            held.enter_context(upload).sendall(head.encode())
        return stack.send(" " * BODY_MAX)


def send_to_silent(stack):
    for pid in stack.service():
        os.kill(pid, signal.SIGSTOP)
    return stack.send("{}")


def send_to_nobody(stack):
    """
    Call it after send_to_silent(): removes the socket, and kills the workers and so
    nginx's kept connections, while the parent is still stopped.
    """
    pids = stack.service()
    (stack.run_dir / "scoring.sock").unlink()
    for pid in stack.workers():
        os.kill(pid, signal.SIGKILL)
    answer = stack.send("{}")
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    return answer


# Errors that no example request provokes: name, stack, status, how to provoke it.
ERRORS = {
    "broken_json": ("whole", 400, lambda s: s.send("{'account': 1}")),
    "no_body": ("whole", 400, lambda s: s.send("")),
    "other_path": ("whole", 404, lambda s: s.send("{}", path="/methods")),
    "other_verb": ("whole", 405, lambda s: s.send(None, verb="GET")),
    "large_body": ("whole", 413, lambda s: s.send(" " * (BODY_MAX + 1))),
    "many_values": ("whole", 413, lambda s: s.send(
        "[" + "0," * (values_max() - 1) + "0]")),
    "long_address": ("whole", 414,
                     lambda s: s.send("{}", path="/method?" + "a" * 8192)),
    "compressed": ("whole", 415, lambda s: s.send(
        "{}", headers={"Content-Encoding": "gzip"})),
    "no_object": ("whole", 422, lambda s: s.send("[]")),
    "large_header": ("whole", 431,
                     lambda s: s.send("{}", headers={"A": "a" * 8192})),
    "damaged": ("whole", 500, send_damaged),
    "other_encoding": ("whole", 501, lambda s: s.send_raw(
        "POST /method HTTP/1.1\r\nHost: a\r\n"
        "Transfer-Encoding: gzip\r\n\r\n")),
    "other_version": ("whole", 505, lambda s: s.send_raw(
        "POST /method HTTP/3.0\r\nHost: a\r\n\r\n")),
    "many_bodies": ("whole", 503, send_many_bodies),
    "store_away": ("poor", 503, lambda s: s.send(interests_request())),
    "too_many": ("poor", 429, send_too_many),
    "silent": ("mute", 504, send_to_silent),
    "away": ("mute", 502, send_to_nobody),
}


def check_errors(stack, kind):
    for name, (where, status, send) in ERRORS.items():
        if where == kind:
            check_example(name, status, send(stack))


# Other arguments that make the request valid if the field is.
FILL = {"first_name": "a", "last_name": "b"}
# Values of each kind, from both sides of every boundary.
TEXTS = ["", "a", "0", None, 0, 1.5, False, [], {}]
DATES = ["01.01.1990", "31.12.1999", "01.01.0001", "9.01.1990", "1990.01.01",
         "00.01.1990", "32.01.1990", "01.00.1990", "01.13.1990", "01.01.0000",
         "01.01.19900", "01-01-1990", "01.01.1990 ", " 01.01.1990",
         "٠١.01.1990", "29.02.2000", *TEXTS]
VALUES = {
    "PlainText": TEXTS,
    "Email": ["a@b", "@", "@@", *TEXTS],
    "Phone": ["79175002040", "70000000000", "79999999999", "89175002040",
              "7917500204", "791750020400", "7917500204a", "+7917500204",
              "٧9175002040", 79175002040, 70000000000, 69999999999,
              79999999999, 80000000000, -79175002040, 79175002040.5, *TEXTS],
    "CalendarDate": ["01.01.9999", *DATES],
    "Birthday": [d for d in DATES if d != "01.01.0001"],
    "Gender": [0, 1, 2, 3, -1, 1.5, "1", True, *TEXTS],
    "ClientIds": [[1], [0], [-1], [2**63 - 1], [2**63], [-2**63],
                  [-2**63 - 1], [], [1, "2"], [True], [1.5], [None],
                  [0] * 10000, [0] * 10001, *TEXTS],
    "Boolean": [True, False, None, 0, 1, "true", "", "false", [], {}],
    "Records": [[{}], [None], [1], [[]], [FILL], [{"gender": 3}, FILL], [],
                [{}] * 1000, [{}] * 1001, *TEXTS],
    "Account": ["", None, 1, True, [], {}],
    "Login": ["", None, 1, True, [], {}],
    "Token": ["", None, 1, True, [], {}],
}
# Valid by the schema; only the service checks that the day exists, and the age.
BEYOND = {
    "CalendarDate": ["30.02.2000", "29.02.1900", "31.04.1999"],
    "Birthday": ["30.02.2000", "29.02.1900", "31.04.1999", "01.01.0001",
                 "01.01.9999"],
}
FIELDS = [
    ("PlainText", "online_score", "first_name",
     {"phone": "79175002040", "email": "@"}),
    ("Email", "online_score", "email", FILL),
    ("Phone", "online_score", "phone", FILL),
    ("Birthday", "online_score", "birthday", FILL),
    ("Gender", "online_score", "gender", FILL),
    ("CalendarDate", "clients_interests", "date", {"client_ids": [1]}),
    ("ClientIds", "clients_interests", "client_ids", {}),
    ("Boolean", "online_score", "explain", FILL),
    ("Boolean", "online_scores", "explain", {"clients": [FILL]}),
    ("Records", "online_scores", "clients", {}),
]


def check_values(stack):
    body = OPERATION["requestBody"]["content"][JSON]
    base = body["examples"]["score"]["value"]
    for kind, method, field, fill in FIELDS:
        rows = [(value, None) for value in VALUES[kind]]
        rows += [(value, 422) for value in BEYOND.get(kind, [])]
        for value, want in rows:
            request = {**base, "method": method,
                       "arguments": {**fill, field: value}}
            check_value(stack, body["schema"], f"{field}", value, request,
                        want)
    for kind, field in (("Account", "account"), ("Login", "login"),
                        ("Token", "token")):
        for value in VALUES[kind]:
            check_value(stack, body["schema"], field, value,
                        {**base, field: value}, None)


def check_value(stack, schema, field, value, request, want):
    """The answer must be 422 if and only if the schema refuses the value; or `want`, if
    only the service checks it."""
    name = f"{field}: {json.dumps(value, ensure_ascii=False)[:40]}"
    status, _, text = stack.send(json.dumps(request))
    wrong = faults(schema, request)
    if want is not None:
        check_equal(f"{name}, by the service alone", (status, wrong),
                    (want, []))
        return
    check(name, (status == 422) == bool(wrong),
          f"{status} {text[:200]!r}, but by the schema: {wrong[:1]}")
    check(f"{name}: status", status in (200, 403, 422), status)


# Values of each header, from both sides of every boundary.
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REQUEST_IDS = ["a", "Az09._-", "a" * 128, "a" * 129, "a b", "a/b"]
TRACEPARENTS = [
    f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-ff",
    f"00-{TRACE}-{PARENT}-0", f"00-{TRACE}-{PARENT}-000",
    f"00-{TRACE}-{PARENT}-01-", f"01-{TRACE}-{PARENT}-01",
    f"fe-{TRACE}-{PARENT}-01-more", f"01-{TRACE}-{PARENT}-01more",
    f"ff-{TRACE}-{PARENT}-01", f"0-{TRACE}-{PARENT}-01",
    f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT.upper()}-01",
    f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
    f"00-{'0' * 31}1-{PARENT}-01", f"00-{TRACE}-{'0' * 15}1-01",
    f"00-{TRACE}-{PARENT}", f"00_{TRACE}-{PARENT}-01", "a",
]


def check_header_values(stack):
    """A header that its schema refuses must be ignored, or refused."""
    for value in REQUEST_IDS:
        got = stack.send("{}", headers={"X-Request-ID": value})[1]
        check_equal(f"X-Request-ID: {value[:20]}, {len(value)} characters",
                    got["X-Request-ID"] == value,
                    not faults(request_headers()["X-Request-ID"], value))
    for value in ("identity", "gzip", "identity, br"):
        got = stack.send("{}", headers={"Content-Encoding": value})[0]
        check_equal(f"Content-Encoding: {value}", got == 422,
                    not faults(request_headers()["Content-Encoding"], value))
    for row, value in enumerate(TRACEPARENTS):
        stack.send("{}", headers={"X-Request-ID": f"trace.{row}",
                                  "traceparent": value})
        check_equal(f"traceparent: {value}",
                    " trace_id=" in stack.line_of(f"trace.{row}"),
                    not faults(request_headers()["traceparent"], value))


def check_health_schemas():
    """Checks also the states of a start and an end, which are too short to observe."""
    code = set(re.findall(r'"(/\w+z)"', source("serve/endpoint.c")))
    check_equal("paths", code | {"/method"}, set(DOCUMENT["paths"]))
    words = re.findall(r'^    \[METRICS_\w+\] = \{"(\w+)", "(\w+)", (\w+)\}',
                       source("serve/endpoint.c"), re.M)
    schemas = DOCUMENT["components"]["schemas"]
    for name, good in (("Ready", "true"), ("NotReady", "false")):
        told = schemas[name]["properties"]["status"]["enum"]
        check_equal(f"{name}: states", set(told),
                    {word for *two, is_ready in words for word in two
                     if is_ready == good})
    for path in code:
        operation = DOCUMENT["paths"][path]["get"]
        for status in operation["responses"]:
            content = response_of(status, operation)["content"][JSON]
            for name, value in examples_of(status, operation).items():
                check_equal(f"{path} {status} {name} fits",
                            faults(content["schema"], value), [])


def check_health(stack, name):
    alive, ready = (DOCUMENT["paths"][path]["get"]
                    for path in ("/healthz", "/readyz"))
    check_example("alive", 200, stack.send(None, "GET", "/healthz"), alive)
    check_example("other_verb", 405, stack.send("{}", "PUT", "/healthz"),
                  alive)
    check_example("other_verb", 405, stack.send("{}", "POST", "/readyz"),
                  ready)
    end = time.monotonic() + READY_S
    want = examples_of(200, ready)[name]
    answer = stack.send(None, "GET", "/readyz")
    while json.loads(answer[2]) != want and time.monotonic() < end:
        time.sleep(0.1)
        answer = stack.send(None, "GET", "/readyz")
    check_example(name, 200, answer, ready)


def check_served(stack):
    served = stack.send(None, "GET", "/openapi.json")
    check_equal("/openapi.json is served", served[0], 200)
    check_equal("/openapi.json is the document", json.loads(served[2]),
                DOCUMENT)
    check_equal("/openapi.json has its type", served[1].get_content_type(),
                JSON)
    check_equal("/openapi.json is served compressed", gzip.decompress(
        stack.send(None, "GET", "/openapi.json",
                   headers={"Accept-Encoding": "gzip"})[2]), served[2])
    page = stack.send(None, "GET", "/")
    check_equal("the page is served", page[0], 200)
    check("the page's policy", "script-src 'self';" in
          page[1]["Content-Security-Policy"] and "unsafe" not in
          page[1]["Content-Security-Policy"])
    check_equal("a part of the page is not had",
                stack.send(None, "GET", "/",
                           headers={"Range": "bytes=9999999-"})[::2],
                page[::2])
    check_equal("HEAD of the page", stack.send(None, "HEAD", "/")[::2],
                (200, b""))
    for verb, path in (("POST", "/"), ("PUT", "/"), ("DELETE", "/"),
                       ("OPTIONS", "/"), ("POST", "/openapi.json"),
                       ("GET", "/openapi.json/"), ("GET", "/index.html"),
                       ("GET", "/docs"), ("GET", "/docs/"),
                       ("GET", "/docs/.npmrc"), ("GET", "/docs/nothing.js"),
                       ("GET", "/docs/..%2Findex.html"), ("GET", "//"),
                       ("POST", "/docs/page.js")):
        check_answer(f"{verb} {path}", stack.send(None, verb, path), 404)


def main(binary):
    check_fields()
    check_methods()
    check_statuses()
    check_request_headers()
    check_limits()
    check_health_schemas()
    with run_stack(binary) as stack:
        check_served(stack)
        check_health(stack, "ready")
        check_requests(stack)
        check_errors(stack, "whole")
        check_values(stack)
        check_header_values(stack)
    # Nothing listens on port 1. The rate limit must not affect the start.
    with run_stack(binary, REDIS_URL="redis://127.0.0.1:1",
                   SCORING_RATE_LIMIT="5") as stack:
        check_health(stack, "degraded")
        check_errors(stack, "poor")
    with run_stack(binary) as stack:
        check_errors(stack, "mute")
    print("{passed} passed, {failed} failed".format(**results))
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
