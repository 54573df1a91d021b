"""The workloads: requests, and their expected answers.

The salt is the published default; the scores are from the table in docs/protocol.md.
load.lua replaces NNNNNNNNNN in bodies by a number, different for each request.
"""
import hashlib
import itertools
import json

ACCOUNT, LOGIN, SALT = "horns&hoofs", "h&f", "Otus"
TOKEN = hashlib.sha512((ACCOUNT + LOGIN + SALT).encode()).hexdigest()
WRONG_TOKEN = "0" * len(TOKEN)
NUMBER = "NNNNNNNNNN"
SAMPLES_FROM = 9 * 10**9  # numbers that wrk does not use
CLIENTS = 10000  # ids 1 to this have interests
RING = 64  # different bodies, sent in turn
IN_MEMORY = 65536  # client_body_buffer_size of nginx
LARGE_AT_ONCE = 8
WORDS = ("books", "cars", "cinema", "geek", "hi-tech", "music", "pets", "travel")

# Pairs of arguments, and the points of both together.
PAIRS = (
    (("phone", "email"), 3.0),
    (("first_name", "last_name"), 0.5),
    (("birthday", "gender"), 1.5),
)


class Question:
    """A body, and the expected status, and for 200 the expected "response"."""

    def __init__(self, body, status, response=None):
        self.body = body
        self.status = status
        self.response = response


class Workload:
    """Requests of one kind.

    bodies  for the load, sent in turn
    sample  number -> Question; neighbours have different answers
    status  of every answer
    redis   "up", "down" or "frozen" during the load
    target  its name in targets.py

    nginx accepts only a limited number of large bodies from one address: such loads use
    fewer connections.
    """

    def __init__(self, name, bodies, sample, status=200, redis="up", target="service"):
        self.name = name
        self.bodies = bodies
        self.sample = sample
        self.status = status
        self.redis = redis
        self.target = target

    def connections(self, wanted):
        if max(len(body) for body in self.bodies) > IN_MEMORY:
            return min(wanted, LARGE_AT_ONCE)
        return wanted


def numbers():
    """The numbers of samples, each different."""
    return itertools.count()


def request(method, arguments, token=TOKEN):
    return json.dumps(
        {
            "account": ACCOUNT,
            "login": LOGIN,
            "method": method,
            "token": token,
            "arguments": arguments,
        },
        separators=(",", ":"),
    )


# Scores.


def person(number):
    """A person; the phone and the e-mail address contain the number."""
    return {
        "phone": "7" + number,
        "email": "u%s@example.org" % number,
        "first_name": "Stan",
        "last_name": "Stupnikov",
        "birthday": "01.01.1990",
        "gender": 1,
    }


def score_body(number, token=TOKEN, padding=0):
    arguments = person(number)
    if padding:
        arguments["unknown"] = "x" * padding
    return request("online_score", arguments, token)


def score_question(number):
    everything = person("%010d" % (SAMPLES_FROM + number))
    arguments, score = {}, 0.0
    for bit, (names, worth) in enumerate(PAIRS):
        if (number % 7 + 1) >> bit & 1:
            arguments.update((name, everything[name]) for name in names)
            score += worth
    return Question(request("online_score", arguments), 200, {"score": score})


def token_question(number):
    return Question(score_body("%010d" % number, WRONG_TOKEN), 403)


def hot_scores(name="scores, hot"):
    bodies = [score_body("%010d" % i) for i in range(RING)]
    return Workload(name, bodies, score_question)


def new_scores(name="scores, all new", redis="up"):
    return Workload(name, [score_body(NUMBER)], score_question, redis=redis)


EXPLAINED = {
    "model": "published",
    "reasons": [
        {"reason": "phone", "points": 1.5},
        {"reason": "email", "points": 1.5},
        {"reason": "age_and_gender", "points": 1.5},
        {"reason": "full_name", "points": 0.5},
    ],
    "missing": [],
}


def explained_question(number):
    arguments = dict(person("%010d" % number), explain=True)
    return Question(request("online_score", arguments), 200, dict(EXPLAINED, score=5.0))


def explained_scores():
    bodies = [explained_question(i).body for i in range(RING)]
    return Workload("scores, explained", bodies, explained_question)


def batch_question(number, count, explain=False):
    clients = [person("%010d" % (number * count + i)) for i in range(count)]
    score = dict(EXPLAINED, score=5.0) if explain else {"score": 5.0}
    arguments = {"clients": clients}
    if explain:
        arguments["explain"] = True
    return Question(
        request("online_scores", arguments), 200, {"scores": [score] * count}
    )


def batches(count, explain=False):
    bodies = [batch_question(i, count, explain).body for i in range(RING)]
    return Workload(
        "scores, %d at once%s" % (count, ", explained" if explain else ""),
        bodies,
        lambda number: batch_question(number, count, explain),
    )


def padded_scores(name, padding):
    return Workload(name, [score_body("%010d" % 1, padding=padding)], score_question)


def wrong_tokens():
    bodies = [score_body("%010d" % 1, WRONG_TOKEN)]
    return Workload("wrong tokens", bodies, token_question, status=403)


# Interests.


def interests_of(client):
    return [WORDS[client % len(WORDS)], "club %d" % client]


def redis_contents():
    return [
        ["SET", "i:%d" % client, json.dumps(interests_of(client))]
        for client in range(1, CLIENTS + 1)
    ]


def interests_question(first, count):
    ids = [(first + i) % CLIENTS + 1 for i in range(count)]
    body = request("clients_interests", {"client_ids": ids, "date": "19.07.2017"})
    return Question(body, 200, {str(client): interests_of(client) for client in ids})


def interests(count):
    bodies = [interests_question(i * 131, count).body for i in range(RING)]
    return Workload(
        "interests of %d" % count,
        bodies,
        lambda number: interests_question(number * 37, count),
    )


# Tables.


def ceiling(name, target):
    question = Question(score_body("%010d" % 1), 200, {"score": 5.0})
    return Workload(name, [question.body], lambda _: question, target=target)


def standard():
    return [
        ceiling("nginx alone", "nginx"),
        ceiling("libfcgi echo", "echo"),
        hot_scores(),
        new_scores(),
        explained_scores(),
        batches(10),
        batches(100),
        batches(1000),
        batches(1000, explain=True),
        interests(1),
        interests(10),
        interests(100),
        wrong_tokens(),
        new_scores("Redis down", "down"),
        new_scores("Redis frozen", "frozen"),
    ]


def contract():
    """Questions that are checked once, before any measurement."""
    unknown = request("clients_interests", {"client_ids": [CLIENTS + 1]})
    # Twice: computed, then from the cache.
    scores = [score_question(i) for i in range(7)]
    several = [interests_question(7, count) for count in (1, 3, 100)]
    return (
        scores
        + scores
        + several
        + [
            Question(unknown, 200, {str(CLIENTS + 1): []}),
            token_question(1),
            Question("", 400),
            Question("{", 400),
            Question("[]", 422),
            Question(request("online_score", {"phone": "79175002040"}), 422),
            Question(request("online_score", {"gender": "1"}), 422),
            Question(request("clients_interests", {"client_ids": []}), 422),
        ]
    )
