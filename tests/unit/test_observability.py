"""What is known of a request when it is over, however it ends."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from service.telemetry.metrics import Metrics
from service.telemetry.observability import Observability, record_of
from service.waiting import CLIENT_GONE
from support.logs import json_lines

SECRET = "Geheimtext"


@pytest.fixture
def lines(capsys):
    with json_lines(capsys) as printed:
        yield printed


@pytest.fixture
def metrics():
    return Metrics()


def app_of(endpoint, metrics, path="/translate/{name}", **options):
    app = Starlette(routes=[Route(path, endpoint, methods=["GET", "POST"])])
    app.add_middleware(Observability, metrics=metrics, **options)
    return app


def ask(app, path="/translate/x", method="GET", root_path="", **request):
    async def send():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, root_path + path, **request)

    return asyncio.run(send())


def exchange(app, receive, send, path="/translate/x"):
    """One request by hand, message by message."""
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))


async def drop(message):
    """A server that sends to nobody."""


async def hello(request):
    return PlainTextResponse("hello")


async def crash(request):
    raise ValueError(SECRET)


def requests_counted(metrics):
    pattern = r"^mt_http_requests_total\{(.*)\} (.*)$"
    return dict(re.findall(pattern, metrics.render()[0].decode(), re.MULTILINE))


def in_progress(metrics):
    return re.search(r"^mt_requests_in_progress (.*)$", metrics.render()[0].decode(), re.MULTILINE)[
        1
    ]


# The line


def test_a_request_leaves_one_line_without_path_query_key_or_address(lines, metrics):
    async def translate(request):
        record = record_of(request)
        record.pair, record.n, record.chars, record.client = "de-en", 2, 30, "shop"
        record.queue_ms, record.flags = 1.5, ["copied"]
        return PlainTextResponse(await request.body())

    ask(
        app_of(translate, metrics),
        f"/translate/{SECRET}?q={SECRET}&api_key={SECRET}",
        "POST",
        content=SECRET,
        headers={"Authorization": SECRET, "X-Request-ID": "a.b:C_1-"},
    )
    (line,) = lines()
    assert line.pop("ms") > 0
    assert line.pop("ts")
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "a.b:C_1-",
        "route": "/translate/{name}",
        "method": "POST",
        "status": 200,
        "pair": "de-en",
        "n": 2,
        "chars": 30,
        "client": "shop",
        "queue_ms": 1.5,
        "flags": ["copied"],
    }
    assert SECRET not in metrics.render()[0].decode()


def test_a_request_is_counted_by_route_method_and_status(lines, metrics):
    ask(app_of(hello, metrics))
    assert requests_counted(metrics) == {
        'method="GET",route="/translate/{name}",status="200"': "1.0"
    }
    assert in_progress(metrics) == "0.0"
    lines()


def test_a_word_that_is_no_method_is_neither_logged_nor_counted(lines, metrics):
    ask(app_of(hello, metrics), method=SECRET.upper())
    assert [line["method"] for line in lines()] == ["OTHER"]
    assert requests_counted(metrics) == {
        'method="OTHER",route="/translate/{name}",status="405"': "1.0"
    }


# The request id


def test_the_request_id_is_in_the_state_and_in_the_answer(lines, metrics):
    async def tell(request):
        assert record_of(request).request_id == request.state.request_id
        return PlainTextResponse(request.state.request_id)

    answer = ask(app_of(tell, metrics), headers={"X-Request-ID": "x" * 128})
    assert answer.text == answer.headers["x-request-id"] == "x" * 128
    assert lines()[0]["request_id"] == "x" * 128


@pytest.mark.parametrize("given", [None, "", "x" * 129, "two words", "ä", "a\tb", 'a"b'])
def test_a_request_without_a_proper_id_gets_a_new_one(lines, metrics, given):
    headers = {} if given is None else {"X-Request-ID": given.encode()}
    app = app_of(hello, metrics)
    first, second = (ask(app, headers=headers).headers["x-request-id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second
    assert [line["request_id"] for line in lines()] == [first, second]


def test_an_answer_sent_twice_has_one_request_id_each_time(lines, metrics):
    response = PlainTextResponse("the same object for everybody")

    async def same(request):
        return response

    app = app_of(same, metrics)
    ids = [ask(app, headers={"X-Request-ID": name}).headers["x-request-id"] for name in "ab"]
    assert ids == ["a", "b"]
    lines()


# How a request can end


def test_a_raised_exception_is_answered_and_told_in_the_same_line(lines, metrics):
    def answer(request):
        return Response(f"see {record_of(request).request_id}", 500)

    answered = ask(app_of(crash, metrics, answer_failure=answer), headers={"X-Request-ID": "r1"})
    assert (answered.status_code, answered.text) == (500, "see r1")
    assert answered.headers["x-request-id"] == "r1"
    (line,) = lines()
    assert (line["level"], line["status"], line["request_id"]) == ("error", 500, "r1")
    assert line["exception"][0]["type"] == "ValueError"
    assert line["exception"][0]["frames"][-1].endswith(" crash")
    assert SECRET not in json.dumps(line)
    assert 'status="500"' in str(requests_counted(metrics))
    assert in_progress(metrics) == "0.0"


def test_without_an_answer_for_it_an_exception_goes_on_to_the_server(lines, metrics):
    async def receive():
        return {"type": "http.request"}

    with pytest.raises(ValueError, match=SECRET):
        exchange(app_of(crash, metrics), receive, drop)
    (line,) = lines()
    assert (line["status"], line["exception"][0]["type"]) == (500, "ValueError")


def test_a_stream_is_over_with_its_last_part(lines, metrics):
    during = []

    async def parts():
        yield "one"
        during.append((in_progress(metrics), requests_counted(metrics)))
        yield "two"

    async def stream(request):
        return StreamingResponse(parts())

    assert ask(app_of(stream, metrics)).text == "onetwo"
    assert during == [("1.0", {})]
    assert [line["status"] for line in lines()] == [200]


def test_a_stream_that_breaks_off_has_failed_whatever_it_began_with(lines, metrics):
    async def parts():
        yield "one"
        raise ValueError(SECRET)

    async def stream(request):
        return StreamingResponse(parts())

    begun = []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        begun.append(message["type"] == "http.response.start")

    app = app_of(stream, metrics, answer_failure=lambda request: Response(status_code=500))
    with pytest.raises(ValueError, match=SECRET):
        exchange(app, receive, send)
    assert begun == [True, False]
    (line,) = lines()
    assert (line["status"], line["exception"][0]["type"]) == (500, "ValueError")
    assert 'status="500"' in str(requests_counted(metrics))


def test_what_fails_after_the_answer_does_not_change_its_status(lines, metrics):
    async def later():
        raise ValueError(SECRET)

    async def accept(request):
        return Response(status_code=202, background=BackgroundTask(later))

    assert ask(app_of(accept, metrics)).status_code == 202
    (line,) = lines()
    assert (line["level"], line["status"]) == ("error", 202)


async def read(request):
    await request.body()
    return PlainTextResponse("read")


async def notice(request):
    """Stop without an answer once the client has left."""
    while not await request.is_disconnected():
        await asyncio.sleep(0)
    raise ClientDisconnect


async def give_up(request):
    raise ClientDisconnect


async def ignore(request):
    return PlainTextResponse("to nobody")


async def stream_forever(request):
    async def parts():
        while True:
            yield "more"
            await asyncio.sleep(0)

    return StreamingResponse(parts())


@pytest.mark.parametrize("endpoint", [read, notice, give_up, stream_forever])
def test_a_client_that_leaves_is_counted_as_such(lines, metrics, endpoint):
    async def receive():
        return {"type": "http.disconnect"}

    exchange(app_of(endpoint, metrics), receive, drop)
    (line,) = lines()
    assert (line["level"], line["status"]) == ("info", 499)
    assert "exception" not in line
    assert 'status="499"' in str(requests_counted(metrics))
    assert in_progress(metrics) == "0.0"


def test_a_client_of_whose_departure_the_server_says_nothing_is_counted_as_such(lines, metrics):
    async def stream(request):
        async def parts():
            yield "one"
            request.scope["state"][CLIENT_GONE] = True  # as `service.connections` notes it
            yield "two"

        return StreamingResponse(parts())

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("body"))

    sent = []
    exchange(app_of(stream, metrics), receive, send)
    (line,) = lines()
    assert (line["level"], line["status"]) == ("info", 499)
    assert sent == [None, b"one"]


def test_who_is_gone_before_the_answer_has_begun_is_not_told_of_it(lines, metrics):
    async def notice_late(request):
        request.scope["state"][CLIENT_GONE] = True
        return Response(status_code=499)

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        raise AssertionError

    exchange(app_of(notice_late, metrics), receive, send)
    (line,) = lines()
    assert (line["level"], line["status"]) == ("info", 499)
    assert "exception" not in line


def test_what_fails_when_the_client_has_left_is_a_failure_all_the_same(lines, metrics):
    async def crash_late(request):
        assert await request.is_disconnected()
        raise ValueError(SECRET)

    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ValueError, match=SECRET):
        exchange(app_of(crash_late, metrics), receive, drop)
    assert [(line["level"], line["status"]) for line in lines()] == [("error", 500)]


@pytest.mark.parametrize("endpoint", [ignore, stream_forever])
def test_a_client_that_is_found_gone_when_answered_has_left(lines, metrics, endpoint):
    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.body":
            raise BrokenPipeError

    exchange(app_of(endpoint, metrics), receive, send)
    assert [line["status"] for line in lines()] == [499]


def test_a_client_that_leaves_with_its_whole_answer_has_not_left_early(lines, metrics):
    over = asyncio.Event()

    async def receive():
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()
            await asyncio.sleep(0)  # whoever waits for messages hears of the end first
            await asyncio.sleep(0)

    async def stream(request):
        return StreamingResponse(iter(["all"]))

    exchange(app_of(stream, metrics), receive, send)
    assert [line["status"] for line in lines()] == [200]


def test_a_cancelled_request_is_over_too(lines, metrics):
    async def never(request):
        await asyncio.Event().wait()

    async def run():
        app = app_of(never, metrics, answer_failure=lambda request: Response(status_code=500))
        scope = {"type": "http", "method": "GET", "path": "/translate/x", "headers": []}
        task = asyncio.create_task(app(scope, None, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    (line,) = lines()
    assert (line["status"], line["exception"][0]["type"]) == (
        500,
        "asyncio.exceptions.CancelledError",
    )
    assert in_progress(metrics) == "0.0"


def test_what_is_no_request_passes_untouched(lines, metrics):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    asyncio.run(Observability(app, metrics)({"type": "lifespan"}, None, None))
    assert seen == [{"type": "lifespan"}]
    assert lines() == []


# Route templates


async def answer(name: str = "") -> str:
    return name


def fastapi_app(metrics):
    """Routers in routers, mounted apps, and one function at two paths."""
    inner, outer = APIRouter(prefix="/inner"), APIRouter()
    inner.add_api_route("/{name:path}", answer)
    outer.include_router(inner, prefix="/outer")
    mounted = FastAPI()
    mounted.add_api_route("/things/{name}", answer)
    app = FastAPI()
    app.add_api_route("/one/{name}", answer, methods=["POST"])
    app.include_router(outer, prefix="/v2")
    app.mount("/mounted/{tenant}", mounted)
    app.mount("/plain", Starlette(routes=[Mount("/deep", routes=[Route("/{name}", hello)])]))
    app.add_middleware(Observability, metrics=metrics)
    return app


@pytest.mark.parametrize("root_path", ["", "/proxy"])
@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("POST", "/one/x", "/one/{name}"),
        ("GET", "/one/x", "/one/{name}"),  # 405
        ("GET", "/v2/outer/inner/x/y", "/v2/outer/inner/{name}"),
        ("GET", "/mounted/x/things/y", "/mounted/{tenant}/things/{name}"),
        ("GET", "/mounted/x/nothing", "/mounted/{tenant}/{path}"),
        ("GET", "/plain/deep/x", "/plain/deep/{name}"),
        ("GET", "/openapi.json", "/openapi.json"),
        ("GET", "/nothing", "other"),
        ("GET", "/one/x/", "other"),  # 307
    ],
)
def test_the_route_is_told_by_its_template(lines, metrics, root_path, method, path, template):
    ask(fastapi_app(metrics), path, method, root_path=root_path)
    assert [line["route"] for line in lines()] == [template]


@pytest.mark.parametrize(
    ("path", "template"), [("/translate", "/translate"), ("/translate/x", "other")]
)
def test_a_request_refused_before_routing_is_told_by_its_path_if_that_is_a_template(
    lines, metrics, path, template
):
    async def refuse(scope, receive, send):
        await PlainTextResponse("no", 429)(scope, receive, send)

    app = Starlette(routes=[Route("/translate", hello), Route("/translate/{name}", hello)])
    app.add_middleware(lambda app: refuse)
    app.add_middleware(Observability, metrics=metrics)
    assert ask(app, path, root_path="/proxy").status_code == 429
    assert [(line["route"], line["status"]) for line in lines()] == [(template, 429)]


def test_it_can_stand_around_a_whole_app_as_well(lines, metrics):
    ask(Observability(Starlette(routes=[Route("/translate/{name}", hello)]), metrics))
    assert [line["route"] for line in lines()] == ["/translate/{name}"]


def test_a_record_is_asked_of_a_request_that_has_one(metrics):
    with pytest.raises(KeyError):
        record_of(Request({"type": "http", "state": {}}))
