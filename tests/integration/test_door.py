"""Refusals on the connection itself: the same words as through the framework, and nothing else."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from service.door import _answer
from support.serving import WAIT_S, real_server
from support.workers import StubWorkers

BODIES = {
    "/translate": {"q": "a", "source": "de", "target": "en"},
    "/v1/translate": {"texts": "a"},
    "/v2/translate": {"text": ["a"], "target_lang": "EN-GB"},
}
ID = "0123456789abcdef0123456789abcdef"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Connection:
    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), WAIT_S)

    def send(self, *pieces: bytes) -> None:
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(0.05)  # so that they arrive one by one; if not, the test proves less
            self.socket.sendall(piece)

    def receive(self) -> Answer:
        response = HTTPResponse(self.socket)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read().decode())

    def ask(self, *pieces: bytes) -> Answer:
        self.send(*pieces)
        return self.receive()


def request(path: str, body: object, *headers: str) -> tuple[bytes, bytes]:
    content = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: application/json", *headers]
    head += [f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(head).encode(), content


@pytest.fixture
def url() -> Iterator[str]:
    """Of a server that has more to do than it wants to keep waiting."""
    workers = StubWorkers()
    workers.hold()
    with (
        real_server(workers, max_wait_s=1.0, deadline_s=WAIT_S) as url,
        closing(Connection(url).socket) as busy,
        closing(Connection(url).socket) as asking,
    ):
        # At the first guess of 0.2 ms a character, 0.8 s of work in a batch and 1.1 s that waits.
        body = {"q": ["a" * 4000, "b" * 5500], "source": "de", "target": "en"}
        busy.sendall(b"".join(request("/translate", body)))
        seconds, deadline = b"0", time.monotonic() + WAIT_S
        while float(seconds) <= 1:
            assert time.monotonic() < deadline
            asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
            response = HTTPResponse(asking)
            response.begin()
            (seconds,) = re.findall(rb"\nmt_queue_seconds (\S+)", response.read())
        yield url


@pytest.mark.parametrize("path", BODIES)
def test_a_refusal_is_the_same_on_the_connection_and_through_the_framework(url, path):
    head, body = request(path, BODIES[path], f"X-Request-ID: {ID}")
    direct, usual = Connection(url), Connection(url)
    with closing(direct.socket), closing(usual.socket):
        at_the_door, inside = direct.ask(head + body), usual.ask(head, body)
    dates = [parsedate_to_datetime(each.headers.pop("date")) for each in (at_the_door, inside)]
    assert dates[1] - dates[0] < timedelta(seconds=WAIT_S)
    assert at_the_door == inside
    assert at_the_door.status == 429
    assert at_the_door.headers["retry-after"] == "1"
    assert at_the_door.headers["x-request-id"] == ID


def test_the_connection_goes_on_and_the_figures_count(url):
    connection = Connection(url)
    with closing(connection.socket):
        for _ in range(3):
            refused = connection.ask(b"".join(request("/translate", BODIES["/translate"])))
            assert refused.status == 429
        assert re.fullmatch("[0-9a-f]{32}", refused.headers["x-request-id"])
        health = connection.ask(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (health.status, json.loads(health.body)) == (200, {"status": "ok"})
        metrics = connection.ask(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").body
    counted = 'mt_http_requests_total{method="POST",route="/translate",status="429"} 3.0'
    assert counted in metrics
    assert 'mt_rejected_total{reason="overloaded"} 3.0' in metrics
    assert "mt_requests_in_progress 2.0" in metrics  # the one that waits, and this one


@pytest.mark.parametrize("within", [b"body", b"head"])
def test_the_rest_of_a_request_is_none_of_its_own_whatever_it_looks_like(url, within):
    smuggled = b"".join(request("/translate", BODIES["/translate"], f"X-Request-ID: {ID}"))
    start = b"POST /translate HTTP/1.1\r\nHost: test\r\n"
    if within == b"body":
        pieces = (start + b"Content-Length: %d\r\n\r\n" % len(smuggled), smuggled)
    else:
        pieces = (start.replace(b"Host: test", b"X-None:") + b"X-Note: ", smuggled)
    connection = Connection(url)
    with closing(connection.socket):
        assert connection.ask(*pieces).status == 429
        head = b"GET /health HTTP/1.1\r\nHost: test\r\nX-Request-ID: mine\r\n\r\n"
        health = connection.ask(b"", head)  # a piece of its own
    assert (health.status, health.headers["x-request-id"]) == (200, "mine")


def test_what_is_not_busy_is_let_in():
    with real_server() as url:
        connection = Connection(url)
        with closing(connection.socket):
            answer = connection.ask(b"".join(request("/translate", BODIES["/translate"])))
    assert json.loads(answer.body) == {"translatedText": "A"}


HEAD, BODY = request("/translate", BODIES["/translate"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + BODY[:-1],
        HEAD + BODY + b"x",
        HEAD + BODY + HEAD + BODY,
        HEAD.replace(b"POST", b"GET") + BODY,
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + BODY,
        HEAD.replace(b"/translate", b"/translate?q=a") + BODY,
        HEAD.replace(b"Content-Length", b"X-Length") + BODY,
        HEAD.replace(b"Host: test", b"Connection: close") + BODY,
        HEAD.replace(b"Host: test", b"Expect: 100-continue") + BODY,
        HEAD.replace(b"Host: test", b"Transfer-Encoding: chunked") + BODY,
        HEAD.replace(b"Host: test", b"Origin: https://page.example") + BODY,
    ],
)
def test_all_but_a_whole_ordinary_request_goes_the_usual_way(data):
    def refuse(path: str, request_id: str | None) -> bytes:
        raise AssertionError("asked")

    assert _answer(data, refuse) is None


def test_path_and_id_are_handed_over():
    asked = []

    def refuse(path: str, request_id: str | None) -> None:
        asked.append((path, request_id))

    _answer(HEAD + BODY, refuse)
    _answer(HEAD.replace(b"Host: test", b"x-request-ID: a.b-C:1") + BODY, refuse)
    _answer(HEAD.replace(b"Host: test", b"x-request-ID: not allowed") + BODY, refuse)
    assert asked == [("/translate", None), ("/translate", "a.b-C:1"), ("/translate", None)]
