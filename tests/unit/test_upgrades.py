"""Offers of another protocol, ignored: the requests are heard as if nothing had been offered."""

import asyncio

import pytest

from service.upgrades import OneProtocol
from support.connections import Line, echo

HEAD = (
    b"POST /%s HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
)
# Each body looks like what it is not.
BODY = b"Upgrade: h2c\r\n\r\nPOST /no HTTP/1.1\r\n\r\n"
SIZED = HEAD % b"sized" + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = (
    HEAD % b"chunked"
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
)
BARE = HEAD.replace(b"POST", b"GET") % b"bare" + b"\r\n"
PLAIN = b"POST /plain HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi"
REQUESTS = SIZED + CHUNKED + BARE + PLAIN
EXPECTED = [("/sized", BODY), ("/chunked", BODY), ("/bare", b""), ("/plain", b"hi")]


def heard_of(*pieces: bytes, answers: int) -> list[tuple[str, bytes]]:
    """Paths and bodies of the requests in what arrives in these pieces on one connection."""
    heard = []

    async def converse() -> None:
        app = echo(lambda scope, body: heard.append((scope["path"], body)))
        line = Line(OneProtocol, app)
        line.send(*pieces)
        await line.answers(answers)

    asyncio.run(converse())
    return heard


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 50, 1000])
def test_requests_with_an_offer_are_heard_whole_in_pieces_of_any_size(size):
    pieces = [REQUESTS[at : at + size] for at in range(0, len(REQUESTS), size)]
    assert heard_of(*pieces, answers=4) == EXPECTED


def test_it_does_not_matter_where_the_bytes_are_cut():
    for cut in range(len(SIZED) + 1):
        assert heard_of(SIZED[:cut], SIZED[cut:] + PLAIN, answers=2) == [EXPECTED[0], EXPECTED[3]]


def test_the_app_is_told_of_every_header_but_the_offer():
    scopes = []

    async def converse() -> None:
        line = Line(OneProtocol, echo(lambda scope, body: scopes.append(scope)))
        line.send(
            SIZED.replace(b"Host: test", b"X-Note:  a: \xe4\xf6 , b \r\nX-Note: c\r\nX-None:")
        )
        await line.answers(1)

    asyncio.run(converse())
    (scope,) = scopes
    assert (scope["method"], scope["http_version"], scope["query_string"]) == ("POST", "1.1", b"")
    assert scope["headers"] == [
        (b"x-note", b"a: \xe4\xf6 , b "),
        (b"x-note", b"c"),
        (b"x-none", b""),
        (b"connection", b"Upgrade, HTTP2-Settings"),
        (b"http2-settings", b"AAMAAABkAAQAAP__"),
        (b"content-length", b"%d" % len(BODY)),
    ]


def test_a_connection_that_is_to_be_closed_is_closed_all_the_same():
    async def converse() -> bool:
        line = Line(OneProtocol, echo(lambda scope, body: None))
        line.send(SIZED.replace(b"Connection: ", b"Connection: close, "))
        sent = await line.answers(1)
        assert sent.endswith(BODY)
        return line.transport.closed

    assert asyncio.run(converse())


def test_many_offers_in_one_piece_are_no_burden():
    assert heard_of(BARE * 3000, answers=3000) == [("/bare", b"")] * 3000


@pytest.mark.parametrize("offer", [b"websocket", b"WebSocket"])
def test_an_offer_of_websockets_which_nobody_here_speaks_is_ignored_as_well(offer):
    requests = REQUESTS.replace(b"h2c\r\nHTTP2", offer + b"\r\nHTTP2")
    assert requests.count(offer) == 3
    assert heard_of(requests, answers=4) == EXPECTED
