"""Bounds of a connection: heads that come late, never, or without end; and what is left alone."""

import asyncio
from http import HTTPStatus

import pytest

from service.connections import LATE, MALFORMED, MAX_HEAD_BYTES, TOO_LARGE, Bounded, _plain
from service.waiting import BROKEN_BODY, CLIENT_GONE
from support.connections import Line, echo
from support.serving import until

HEAD_S = 0.3
START = b"POST /path?query HTTP/1.1\r\nHost: test\r\n"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
LONG = b"x" * (MAX_HEAD_BYTES + 1)


class Connection(Bounded):
    head_s = HEAD_S
    reading_s = HEAD_S

    def refuse_head(self, status: HTTPStatus, method: str, path: str) -> bytes:
        return f"HTTP/1.1 {status} {method} {path}\r\n\r\n".encode()


def refused(status: HTTPStatus, method: str = "POST", path: str = "/path") -> bytes:
    return f"HTTP/1.1 {status} {method} {path}\r\n\r\n".encode()


def converse(conversation, app=None):
    async def run():
        return await conversation(Line(Connection, app or echo(lambda scope, body: None)))

    return asyncio.run(run())


@pytest.mark.parametrize("pieces", [[], [b"\r\n"]])
def test_a_connection_on_which_nothing_begins_is_closed_without_a_word(pieces):
    async def conversation(line):
        line.send(*pieces)
        await until(lambda: line.transport.closed)
        return line.transport.sent

    assert converse(conversation) == b""


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        (START, refused(LATE)),
        (b"POST /path", refused(LATE)),
        (b"PO", refused(LATE, "", "")),
    ],
)
def test_half_a_head_is_answered_408_and_the_connection_ends(start, answer):
    async def conversation(line):
        line.send(start)
        await until(lambda: line.transport.ended)
        return line.transport.sent

    assert converse(conversation) == answer


def test_bytes_that_come_one_by_one_gain_a_head_no_time():
    async def conversation(line):
        for byte in START * 5:
            if not line.transport.ended:
                line.send(bytes([byte]))
                await asyncio.sleep(HEAD_S / 10)
        return line.transport.ended

    assert converse(conversation)


def test_each_request_has_the_whole_time_and_an_idle_connection_is_kept_as_ever():
    async def conversation(line):
        for count in (1, 2):
            line.send(GET)
            await line.answers(count)
            await asyncio.sleep(3 * HEAD_S)
            assert not line.transport.closed
        line.send(START)
        await until(lambda: line.transport.ended)
        return line.transport.sent

    assert converse(conversation).endswith(refused(LATE))


def test_an_answer_that_takes_longer_than_a_head_may_is_left_in_peace():
    async def slow(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(4):
            await asyncio.sleep(HEAD_S)
            await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    async def conversation(line):
        line.send(GET, START)  # the next half request comes meanwhile
        return await line.answers(1), line.transport.closed

    sent, closed = converse(conversation, slow)
    assert sent.count(b"piece") == 4
    assert sent.endswith(b"3\r\nend\r\n0\r\n\r\n")
    assert not closed


async def unread(line, waiting, *, seconds=3 * HEAD_S):
    """Whether a connection on which these many bytes wait, then those, has been ended."""
    for bytes_waiting in waiting:
        line.transport.waiting = bytes_waiting
        await asyncio.sleep(seconds)
    return line.transport.closed


@pytest.mark.parametrize(
    ("waiting", "ended"), [([9], True), ([9, 0], False), ([9, 6, 3, 0], False), ([9, 6, 6], True)]
)
def test_an_answer_has_to_be_read_piece_by_piece(waiting, ended):
    async def conversation(line):
        line.transport.waiting = waiting[0]
        line.send(GET)
        await line.answers(1)
        return await unread(line, waiting, seconds=0.8 * HEAD_S) or await unread(line, waiting[-1:])

    assert converse(conversation) == ended


def test_an_answer_in_the_making_that_nobody_reads_is_given_up():
    async def held_back(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def conversation(line):
        line.send(GET)
        await asyncio.sleep(0)
        line.transport.waiting = 100_000
        line.protocol.pause_writing()
        await until(lambda: line.transport.closed)

    converse(conversation, held_back)


def test_an_app_that_adds_as_fast_as_the_client_reads_is_left_in_peace():
    more = asyncio.Event()

    async def streaming(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await more.wait()
        await send({"type": "http.response.body", "body": b"end"})

    async def conversation(line):
        line.send(GET)
        await asyncio.sleep(0)
        line.transport.waiting = 70_000
        line.protocol.pause_writing()
        line.transport.waiting = 10_000
        line.protocol.resume_writing()
        ended = await unread(line, [40_000, 40_000])
        more.set()
        line.transport.waiting = 0
        await line.answers(1)
        return ended

    assert not converse(conversation, streaming)


def test_requests_are_not_refused_early_while_their_answers_pile_up():
    async def conversation(line):
        before = line.protocol.idle()
        line.protocol.pause_writing()
        return before, line.protocol.idle()

    assert converse(conversation) == (True, False)


def test_who_is_answered_when_the_connection_ends_is_told_though_others_wait_behind():
    told = []

    async def waiting(scope, receive, send):
        await receive()
        told.append(await receive())
        told.append(CLIENT_GONE in scope["state"])

    async def conversation(line):
        line.send(GET, GET)
        await asyncio.sleep(0)
        line.protocol.connection_lost(None)
        await until(lambda: told)

    converse(conversation, waiting)
    assert told == [{"type": "http.disconnect"}, True]


async def early(scope, receive, send):
    """An app that does not wait for a request to be whole."""
    await send({"type": "http.response.start", "status": 413, "headers": []})
    await send({"type": "http.response.body"})


def test_a_body_has_no_less_time_because_its_head_came_in_pieces():
    async def conversation(line):
        line.send(START, b"Content-Length: 2\r\n\r\na")
        await asyncio.sleep(2 * HEAD_S)
        line.send(b"b")
        return await line.answers(1)

    assert converse(conversation).endswith(b"\r\n\r\nab")


def test_what_follows_an_early_answer_may_not_take_for_ever():
    async def conversation(line):
        line.send(START + b"Content-Length: 1000\r\n\r\n")
        sent = await line.answers(1)
        line.send(b"a")  # after which uvicorn by itself waits for the rest without an end
        await until(lambda: line.transport.closed)
        return line.transport.sent == sent

    assert converse(conversation, early)


@pytest.mark.parametrize("next_one", [b"", START])
def test_after_the_rest_of_a_request_answered_early_the_connection_goes_on(next_one):
    async def conversation(line):
        line.send(START + b"Content-Length: 2\r\n\r\n")
        await line.answers(1)
        line.send(b"a")
        await asyncio.sleep(HEAD_S * 0.6)
        line.send(b"b" + next_one)
        await asyncio.sleep(HEAD_S * 0.6)
        assert not line.transport.ended
        assert not line.transport.closed
        line.send(b"\r\n" if next_one else GET)
        return await line.answers(2)

    assert converse(conversation, early).count(b"HTTP/1.1 413") == 2


CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(b"2\r\nhi\r\n0\r\nX-Api-Key: mine\r\n\r\n")))
def test_what_stands_behind_a_body_is_no_header(cut):
    body = b"2\r\nhi\r\n0\r\nX-Api-Key: mine\r\n\r\n"
    scopes = []

    async def conversation(line):
        line.send(CHUNKED + body[:cut], body[cut:])
        return await line.answers(1)

    answer = converse(conversation, echo(lambda scope, body: scopes.append(scope)))
    assert answer.endswith(b"hi")
    assert [name for name, _ in scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_a_head_that_http_does_not_allow_is_refused(head):
    async def conversation(line):
        line.send(head)
        await until(lambda: line.transport.ended)
        return line.transport.sent

    assert converse(conversation) == refused(MALFORMED, head.split()[0].decode(), "/")


def test_a_client_of_http_1_0_need_not_name_a_host_and_is_told_nothing_that_it_does_not_know():
    async def conversation(line):
        line.send(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        return await line.answers(1)

    answer = converse(conversation)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"hi")


def waiting(begun, may_go_on):
    """An app that answers once it may, or tells what became of a body that never came whole."""

    async def app(scope, receive, send):
        begun.append(scope)
        message = await receive()
        if scope["state"].get(BROKEN_BODY):
            message["body"] = b"broken"
        else:
            await may_go_on.wait()
        headers = [(b"content-length", b"%d" % len(message["body"]))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"]})

    return app


def test_a_broken_chunk_is_told_to_the_app_and_the_connection_ends():
    begun = []

    async def conversation(line):
        line.send(CHUNKED)
        await until(lambda: begun)
        line.send(b"zz\r\n", GET)  # what follows is for nobody
        await line.answers(1)
        await until(lambda: line.transport.closed)
        return line.transport.sent

    answer = converse(conversation, waiting(begun, asyncio.Event()))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"connection: close\r\n\r\nbroken")
    assert len(begun) == 1


def test_a_broken_chunk_leaves_the_answer_to_the_request_before_it_alone():
    begun, may_go_on = [], asyncio.Event()

    async def conversation(line):
        line.send(START + b"Content-Length: 2\r\n\r\nhi")
        await until(lambda: begun)
        line.send(CHUNKED + b"zz\r\n")
        await asyncio.sleep(0.05)
        assert line.transport.sent == b""
        may_go_on.set()
        await line.answers(2)
        await until(lambda: line.transport.closed)
        return line.transport.sent

    first, second = converse(conversation, waiting(begun, may_go_on)).split(b"HTTP/1.1 200")[1:]
    assert first.endswith(b"\r\n\r\nhi")
    assert b"connection: close" not in first
    assert second.endswith(b"connection: close\r\n\r\nbroken")


def test_a_broken_chunk_of_a_request_answered_early_is_not_answered_again():
    async def conversation(line):
        line.send(CHUNKED)
        sent = await line.answers(1)
        line.send(b"zz\r\n")
        await until(lambda: line.transport.closed)
        return line.transport.sent == sent

    assert converse(conversation, early)


def test_an_idle_connection_is_closed_after_the_rest_of_a_request_answered_early_too():
    async def conversation(line):
        line.protocol.timeout_keep_alive = HEAD_S / 10
        line.send(START + b"Content-Length: 2\r\n\r\n")
        await line.answers(1)
        line.send(b"ab")
        await until(lambda: line.transport.closed)

    converse(conversation, early)


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([START + b"X-Long: " + LONG + b"\r\n\r\n"], refused(TOO_LARGE)),
        ([START, b"X-Long: ", LONG], refused(TOO_LARGE)),
        ([START, b"X-Long", LONG[:40_000], LONG[:40_000]], refused(TOO_LARGE)),
        ([START] + [b"X-Short: x\r\n" * 100] * 60, refused(TOO_LARGE)),
        ([b"GET /?", LONG], refused(TOO_LARGE, "GET", "/")),
    ],
)
def test_a_head_without_end_is_answered_431_and_the_connection_ends(pieces, answer):
    async def conversation(line):
        line.send(*pieces)
        return line.transport.ended, line.transport.sent

    assert converse(conversation) == (True, answer)


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        (["POST /path?q=Grüße HTTP/1.1\r\nHost: test\r\n\r\n".encode()], refused(MALFORMED)),
        ([b"POST /path?q=Gr", "üße HTTP/1.1\r\n".encode()], refused(MALFORMED)),
        (["POST /pathä HTTP/1.1\r\n".encode()], refused(MALFORMED)),
        ([b"POST /path?q=two words HTTP/1.1\r\n"], refused(MALFORMED)),
        ([START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na"], refused(MALFORMED)),
        (
            [START + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na"],
            refused(MALFORMED),
        ),
        ([b"CONNECT test HTTP/1.1\r\n\r\n"], refused(MALFORMED, "CONNECT", "test")),
        ([b"\x16\x03\x01\x02\x00"], refused(MALFORMED, "", "")),  # of TLS
    ],
)
def test_a_head_that_is_no_http_is_answered_400_and_the_connection_ends(pieces, answer):
    async def conversation(line):
        line.send(*pieces)
        return line.transport.ended, line.transport.sent

    assert converse(conversation) == (True, answer)


def test_an_answer_in_the_making_comes_before_a_head_that_is_no_http_ends_the_connection():
    async def conversation(line):
        line.send(GET + b"GET /\xff HTTP/1.1\r\n")
        await until(lambda: line.transport.closed)
        return line.transport.sent

    sent = converse(conversation)
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.count(b"HTTP/1.1") == 1


def test_who_goes_on_all_the_same_is_not_listened_to_for_long():
    async def conversation(line):
        line.send(START, LONG, LONG)
        assert not line.transport.closed
        line.send(*[LONG] * 20)
        return line.transport.closed

    assert converse(conversation)


def test_a_head_of_the_largest_size_is_let_in_beside_a_large_body():
    head = START + b"Content-Length: %d\r\nX-Long: " % len(LONG)
    head += LONG[: MAX_HEAD_BYTES - len(head) - 4] + b"\r\n\r\n"

    async def conversation(line):
        line.send(head + LONG + head[:-4])
        await until(lambda: line.transport.sent.endswith(LONG))
        line.send(b"\r\n\r\n" + LONG)
        return await line.answers(2)

    assert len(head) == MAX_HEAD_BYTES
    assert converse(conversation).count(LONG) == 2


@pytest.mark.parametrize("next_one", [b"GET /next HTTP/1.1\r\nX-Long: ", b"\r\n"])
def test_an_answer_in_the_making_comes_before_the_connection_ends(next_one):
    async def conversation(line):
        line.send(GET + next_one, LONG.replace(b"x", b"\r\n") if next_one == b"\r\n" else LONG)
        await until(lambda: line.transport.closed)
        return line.transport.sent

    sent = converse(conversation)
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.count(b"HTTP/1.1") == 1


def test_what_follows_the_last_piece_of_a_body_has_its_bound_too():
    async def conversation(line):
        line.send(START + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n0\r\nX-Long: ", LONG)
        return line.protocol.cycle.keep_alive

    assert not converse(conversation)


def test_the_address_of_a_client_is_the_same_by_a_socket_of_both_families():
    given = (("::ffff:10.0.0.1", 80), ("::1", 80), None)
    assert [_plain(client) for client in given] == [("10.0.0.1", 80), ("::1", 80), None]
