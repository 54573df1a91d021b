"""Sends one request, and compares the answer with the expected one."""
import http.client
import json

ANSWER_LIMIT_S = 5


def post(port, body):
    """Returns the status and the body of the answer."""
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)
    try:
        peer.request("POST", "/method", body.encode())
        answer = peer.getresponse()
        return answer.status, answer.read()
    finally:
        peer.close()


def fault(port, question):
    """None if the answer is right, otherwise a text that describes the fault."""
    try:
        status, text = post(port, question.body)
        answer = json.loads(text)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return "no answer to %.200s: %r" % (question.body, error)
    if status != question.status or answer.get("code") != status:
        return "%d %.200r, not %d, to %.200s" % (
            status,
            text,
            question.status,
            question.body,
        )
    if question.status != 200:
        good = set(answer) == {"code", "error"} and answer["error"]
        return None if good else "no error in %.200r" % text
    if answer.get("response") != question.response:
        return "%.200r, not %.200r" % (answer.get("response"), question.response)
    return None
