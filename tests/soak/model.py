"""A model of the service, written from docs/protocol.md alone: draws requests from a
seed, each with the only right answer."""

import hashlib
import json
import string
import time
from dataclasses import dataclass, field

ACCOUNT, LOGIN, SALT, ADMIN_SALT = "horns&hoofs", "h&f", "Otus", "42"
INTERESTS_LOADED = 2000  # clients 1 to this have values, except every fifth
DAMAGED_ID = 3001  # its value is not JSON
LIST_ID = 3002  # its key has the type list
BODY_MAX = 1 << 20
HOT_SCORES = 20  # requests that are repeated
HOUR_EDGE_S = 5  # so close to the end of an hour, no admin token is used


@dataclass
class Request:
    """A request and its right answer."""

    body: bytes
    status: int = 200
    response: object = None  # for status 200
    texts: list = field(default_factory=list)  # which the error must contain
    text: str | None = None  # the whole error
    path: str = "/method"
    verb: str = "POST"
    needs_store: bool = False  # 503 is right while the store is down


def interests_of(client):
    """The interests of a client, as an answer shows them."""
    if client < 1 or client > INTERESTS_LOADED or client % 5 == 0:
        return []
    return [f"interest {client}/{i} \u00e9" for i in range(client % 4)]


def store_commands():
    """The commands that load the store."""
    for client in range(1, INTERESTS_LOADED + 1):
        if client % 5 != 0:
            yield ("SET", f"i:{client}", json.dumps(interests_of(client)))
    yield ("SET", f"i:{DAMAGED_ID}", '["cut of')
    yield ("RPUSH", f"i:{LIST_ID}", "books")


def sha512(text):
    return hashlib.sha512(text.encode()).hexdigest()


USER_TOKEN = sha512(ACCOUNT + LOGIN + SALT)

ABSENT = object()


def word(random, low=1, high=12):
    return "".join(random.choices(string.ascii_letters + "\u00e9\u4e16 '",
                                  k=random.randint(low, high)))


def good_value(random, name):
    if name == "phone":
        digits = "7" + "".join(random.choices(string.digits, k=10))
        return random.choice([digits, int(digits)])
    if name == "email":
        return word(random) + "@" + word(random, 0)
    if name == "birthday":
        return "%02d.%02d.%d" % (random.randint(1, 28), random.randint(1, 12),
                                 random.randint(1975, 2015))
    if name == "gender":
        return random.randint(0, 2)
    return word(random)


BAD_VALUES = {
    "phone": [89175002040, "7917500204", "791750020400", 7917500204.5, "7 9175002040",
              False, [], {}, 0],
    "email": ["nobody", 5, False, []],
    "first_name": [0, 1.5, True, [], {}],
    "last_name": [0, False, ["x"]],
    "birthday": ["29.02.2001", "1.1.1990", "01.01.1900", "01.01.9998",
                 "31.04.2000", "01/01/1990", 0],
    "gender": [-1, 3, 1.0, "1", True, ""],
}
NAMES = list(BAD_VALUES)
PAIRS = [("phone", "email"), ("first_name", "last_name"), ("gender", "birthday")]


def score_of(given):
    score = 0.0
    score += 1.5 if "phone" in given else 0
    score += 1.5 if "email" in given else 0
    if "birthday" in given and given.get("gender", 0) != 0:
        score += 1.5
    if "first_name" in given and "last_name" in given:
        score += 0.5
    return score


def signed(method, arguments, **changes):
    envelope = {"account": ACCOUNT, "login": LOGIN, "token": USER_TOKEN,
                "method": method, "arguments": arguments}
    envelope.update(changes)
    return envelope


def as_body(envelope):
    return json.dumps(envelope).encode()


def score_request(random, bad_share=0.1):
    """online_score with each argument given, empty, absent or wrong."""
    arguments, given, bad = {}, {}, []
    for name in NAMES:
        lot = random.random()
        if lot < bad_share / len(NAMES):
            arguments[name] = random.choice(BAD_VALUES[name])
            bad.append(name)
        elif lot < 0.6:
            arguments[name] = given[name] = good_value(random, name)
        elif lot < 0.7:
            arguments[name] = None
        elif lot < 0.8 and name != "gender":
            arguments[name] = ""
    body = as_body(signed("online_score", arguments))
    if bad:
        return Request(body, 422, texts=bad)
    if not any(a in given and b in given for a, b in PAIRS):
        return Request(body, 422, texts=[part for pair in PAIRS for part in pair])
    return Request(body, response={"score": score_of(given)})


def interests_request(random):
    ids = [random.randint(1, INTERESTS_LOADED + 200)
           for _ in range(random.choice([1, 10, 100]))]
    if random.random() < 0.1:
        ids += [-1, ids[0]]
    body = as_body(signed("clients_interests", {"client_ids": ids}))
    return Request(body, response={str(i): interests_of(i) for i in ids},
                   needs_store=True)


def damaged_request(random):
    ids = [1, random.choice([DAMAGED_ID, LIST_ID])]
    body = as_body(signed("clients_interests", {"client_ids": ids}))
    return Request(body, 500, needs_store=True)


def admin_request(random):
    now = time.time()
    if now % 3600 > 3600 - HOUR_EDGE_S or now % 3600 < 1:
        return score_request(random)
    token = sha512(time.strftime("%Y%m%d%H", time.localtime(now)) + ADMIN_SALT)
    arguments = {"phone": good_value(random, "phone"), "email": "a@b"}
    return Request(as_body(signed("online_score", arguments, login="admin", token=token)),
                   response={"score": 42})


def token_request(random):
    token = random.choice(["", USER_TOKEN[:-1], USER_TOKEN.upper(), sha512(word(random))])
    arguments = {"phone": "79175002040", "email": "a@b"}
    return Request(as_body(signed("online_score", arguments, token=token)), 403,
                   text="Forbidden")


def broken_request(random):
    whole = as_body(signed("online_score", {"phone": "79175002040", "email": "a@b"}))
    cut = whole[:random.randint(1, len(whole) - 1)]
    broken = [cut, whole + b"x", b"{'a': 1}", b"[1,]", b'{"a": NaN}', b'"\xff"',
              b'{"a": 01}', b"[" * 33 + b"]" * 33]
    return Request(random.choice(broken), 400)


def member_request(random):
    name = random.choice(["login", "token", "arguments", "method"])
    envelope = signed("online_score", {})
    envelope[name] = random.choice([None, 5, [1], True])
    return Request(as_body(envelope), 422, texts=[name])


def method_request(random):
    return Request(as_body(signed(word(random), {})), 422, texts=["method"])


def big_request(random):
    """A right request, whose size is below the limit or above it."""
    envelope = signed("online_score", {"phone": "79175002040", "email": "a@b"})
    envelope["ballast"] = "x" * random.choice([70_000, 900_000, BODY_MAX - 1000, BODY_MAX])
    body = as_body(envelope)
    if len(body) > BODY_MAX:
        return Request(body, 413)
    return Request(body, response={"score": 3.0})


def path_request(random):
    if random.random() < 0.5:
        return Request(b"{}", 404, path=random.choice(["/", "/methods", "/method/x"]))
    return Request(b"", 405, verb=random.choice(["GET", "DELETE"]))


class Model:
    """Draws requests; the hot ones are the same for all clients."""

    KINDS = [(score_request, 24), (interests_request, 30), (damaged_request, 2),
             (admin_request, 3), (token_request, 5), (broken_request, 6),
             (member_request, 3), (method_request, 2), (big_request, 1),
             (path_request, 3)]

    def __init__(self, random):
        self.hot = []
        while len(self.hot) < HOT_SCORES:
            request = score_request(random, bad_share=0)
            if request.status == 200:
                self.hot.append(request)

    def draw(self, random):
        if random.random() < 0.2:
            return random.choice(self.hot)
        kinds, weights = zip(*self.KINDS)
        return random.choices(kinds, weights)[0](random)


def no_twins(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def same(a, b):
    """Whether two values are equal and have the same JSON type: true is not 1."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return not isinstance(a, bool) and a == b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def fault_of(request, answer, store_may_be_away):
    """A text that describes what is wrong with an answer; None: it is right."""
    unavailable = request.needs_store and answer.status == 503
    if unavailable and not store_may_be_away:
        return "503 with the store there"
    if not unavailable and answer.status != request.status:
        return f"status {answer.status} instead of {request.status}"
    if answer.headers.get("content-type") != "application/json":
        return "the content type"
    if unavailable and "retry-after" not in answer.headers:
        return "503 without Retry-After"
    try:
        envelope = json.loads(answer.body, object_pairs_hook=no_twins)
    except ValueError as fault:
        return f"no JSON: {fault}"
    last = "response" if answer.status == 200 else "error"
    if not isinstance(envelope, dict) or envelope.keys() != {"code", last}:
        return "the envelope's members"
    if not same(envelope["code"], answer.status):
        return "code is not the status"
    if answer.status == 200:
        return None if same(envelope["response"], request.response) else "the response"
    return None if unavailable else fault_of_text(request, envelope["error"])


def fault_of_text(request, text):
    if not isinstance(text, str) or text == "":
        return "the error is no text"
    if request.text is not None and text != request.text:
        return "the error's text"
    missing = [part for part in request.texts if part not in text]
    return f"the error does not name {missing}" if missing else None
