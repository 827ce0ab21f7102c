"""A real server and clients that offer HTTP/2, keep it waiting, say too much, or say who they are.

The bounds themselves are tested without a socket, in `tests/unit/test_connections.py`.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from service.connections import Bounded
from support.serving import WAIT_S, real_server

ALLOWANCE = 1000
"""Characters that an address may send in a minute."""
DEADLINE_S = 0.5
COUNT = 400
"""Answers that no socket's buffer holds."""
FIELDS = {"q": "ja", "source": "de", "target": "en"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a server that does not wait long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bounded, "reading_s", DEADLINE_S)
        with real_server(deadline_s=DEADLINE_S, characters_per_minute=ALLOWANCE) as url:
            yield url


def connect(url: str) -> closing[socket.socket]:
    address = urlsplit(url)
    return closing(socket.create_connection((address.hostname, address.port), WAIT_S))


def answer_on(connection: socket.socket) -> tuple[HTTPResponse, Any]:
    """The next answer, and its body."""
    response = HTTPResponse(connection)
    response.begin()
    return response, json.loads(response.read())


def test_whoever_offers_http_2_is_answered_as_if_nothing_was_offered(url):
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAA"}
    with httpx.Client(base_url=url, trust_env=False) as http:
        for _ in range(2):
            response = http.post("/translate", data=FIELDS, headers=offer)
            assert (response.status_code, response.json()) == (200, {"translatedText": "JA"})
            assert "upgrade" not in response.headers


def test_a_connection_on_which_nothing_comes_is_closed(url):
    with connect(url) as connection:
        assert connection.recv(1) == b""


def test_half_a_head_is_answered_408_and_the_connection_is_closed(url):
    with connect(url) as connection:
        connection.sendall(b"POST /v2/translate HTTP/1.1\r\nHost: te")
        response, body = answer_on(connection)
        assert connection.recv(1) == b""
    assert (response.status, body) == (408, {"message": "the request took too long to arrive"})


def test_a_connection_that_got_a_408_for_its_body_is_closed(url):
    with connect(url) as connection:
        head = b"POST /translate HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
        response, body = answer_on(connection)
        assert (response.status, response.getheader("connection")) == (408, "close")
        assert body == {"error": "the request took too long to arrive"}
        connection.settimeout(3)  # less than an idle connection is kept
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("path", "start"),
    [("/translate", b'{"error":"'), ("/v2/translate", b'{"message":"'), ("/v1/models", b'{"er')],
)
def test_a_head_too_large_is_refused_in_the_words_of_its_wire(url, path, start):
    with connect(url) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nX-Long: ".encode() + b"x" * 70_000)
        response = HTTPResponse(connection)
        response.begin()
        body = response.read()
        assert connection.recv(1) == b""
    assert (response.status, response.getheader("connection")) == (431, "close")
    assert response.getheader("date")
    assert response.getheader("x-request-id")
    assert body.startswith(start)
    assert b"the request head exceeds 65536 bytes" in body


@pytest.mark.parametrize(
    ("path", "start"),
    [("/translate", '{"error":"'), ("/v2/translate", '{"message":"'), ("/v1/translate", '{"er')],
)
def test_a_query_that_is_not_percent_encoded_is_told_so_in_the_words_of_its_wire(url, path, start):
    with connect(url) as connection:
        connection.sendall(f"POST {path}?q=Grüße HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        response = HTTPResponse(connection)
        response.begin()
        body = response.read().decode()
        assert connection.recv(1) == b""
    assert (response.status, response.getheader("connection")) == (400, "close")
    assert response.getheader("content-type") == "application/json"
    assert response.getheader("x-request-id")
    assert body.startswith(start)
    assert "have to be percent-encoded" in body


@pytest.mark.parametrize(
    ("path", "start"),
    [("/translate", b'{"error":"'), ("/v2/translate", b'{"message":"'), ("/v1/translate", b'{"er')],
)
def test_a_body_whose_chunks_are_none_is_refused_in_the_words_of_its_wire(url, path, start):
    head = b"POST %s HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n" % path.encode()
    with connect(url) as connection:
        connection.sendall(head + b"X-Request-ID: mine\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        response = HTTPResponse(connection)
        response.begin()
        body = response.read()
        assert connection.recv(1) == b""
    assert (response.status, response.getheader("x-request-id")) == (400, "mine")
    assert body.startswith(start)
    assert b"the chunks of the body are no HTTP/1.1" in body


def test_who_asks_for_leave_to_send_is_refused_without_and_the_connection_ends(url):
    head = b"POST /translate HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
    with connect(url) as connection:
        connection.sendall(head + b"Content-Length: 900000000\r\n\r\n")
        response, body = answer_on(connection)
        assert connection.recv(1) == b""
    assert (response.status, response.getheader("connection")) == (413, "close")
    assert "exceeds" in body["error"]


def test_a_client_of_http_1_0_has_a_stream_in_one_piece(url):
    body = json.dumps({"texts": ["ja"], "source": "de", "target": "en"}).encode()
    head = b"POST /v1/translate/stream HTTP/1.0\r\nContent-Type: application/json\r\n"
    with connect(url) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        response = HTTPResponse(connection)
        response.begin()
        events = [json.loads(line) for line in response.read().splitlines()]
    assert response.getheader("transfer-encoding") is None
    assert [event["type"] for event in events][-1] == "result"


@pytest.mark.parametrize("path", ["/languages", "/v2/languages", "/v1/models", "/docs", "/health"])
def test_head_is_answered_as_get_without_the_body(url, path):
    with httpx.Client(base_url=url, trust_env=False) as http:
        got, head = http.get(path), http.head(path)
        refused = http.head("/translate")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_a_client_that_reads_nothing_of_its_answers_is_cut_off(url):
    with connect(url) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * COUNT)
        time.sleep(4 * DEADLINE_S)
        heads = 0
        with suppress(ConnectionError):
            while answer := connection.recv(2**20):
                heads += answer.count(b"HTTP/1.1 200")
    assert heads < COUNT


def test_refusals_of_heads_are_counted(url):
    with connect(url) as connection:
        connection.sendall(b"GET /" + b"x" * 70_000)
        answer_on(connection)
    with connect(url) as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        answer_on(connection)
    metrics = httpx.get(f"{url}/metrics", trust_env=False).text
    assert 'mt_http_requests_total{method="GET",route="other",status="431"}' in metrics
    assert 'mt_rejected_total{reason="too_large"}' in metrics
    assert 'mt_http_requests_total{method="PUT",route="other",status="400"}' in metrics


def ask_as(url: str, forwarded_for: str) -> int:
    """The status of a request of more than half an allowance, for somebody else."""
    fields = FIELDS | {"q": "a" * (ALLOWANCE // 2 + 1)}
    headers = {"x-forwarded-for": forwarded_for}
    return httpx.post(f"{url}/translate", data=fields, headers=headers, trust_env=False).status_code


def test_nobody_is_believed_to_be_another_address(url):
    assert [ask_as(url, "192.0.2.1"), ask_as(url, "192.0.2.2")] == [200, 429]


def test_a_trusted_proxy_is_believed_whose_requests_it_brings():
    trusting = {"trusted_proxies": ("127.0.0.0/8",), "characters_per_minute": ALLOWANCE}
    with real_server(**trusting) as url:
        assert [ask_as(url, f"192.0.2.{n}") for n in (1, 2, 1)] == [200, 200, 429]
        # A client's own word stands before what the proxy adds, and does not count.
        assert ask_as(url, "192.0.2.9, 192.0.2.2") == 429
