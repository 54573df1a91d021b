"""Callers that request the same score repeatedly, and check each answer."""

import http.client
import json
import sys
import threading
from pathlib import Path

import model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import stack as stacks  # noqa: E402

PATIENCE_S = 60  # for anything that must happen, even on a busy machine
CLIENTS = 4
PAUSE_S = 0.02  # of a client between two requests, so that others get a core
SCORE = model.as_body(model.signed("online_score", {"phone": 79175002040, "email": "a@b"}))
SCORE_ANSWER = {"code": 200, "response": {"score": 3.0}}


class Load:
    """Callers with kept connections; each answer must be the score."""

    def __init__(self, port, clients=CLIENTS, pause_s=PAUSE_S):
        self.port, self.pause_s = port, pause_s
        self.stopped, self.answers, self.wrong = False, 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        while not self.stopped:
            try:
                link.request("POST", "/method", SCORE)
                answer = json.loads(link.getresponse().read())
            except (OSError, ValueError, http.client.HTTPException) as fault:
                answer = repr(fault)
                link.close()
            self.answers += 1
            if answer != SCORE_ANSWER:
                self.wrong.append(answer)
            threading.Event().wait(self.pause_s)
        link.close()

    def wait_for_more(self):
        """Waits for as many further answers as there are clients."""
        wanted = self.answers + len(self.threads)
        stacks.wait_until(lambda: self.answers >= wanted, PATIENCE_S, "there is no load")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join()
