"""Segments as they are translated: Server-Sent Events, or a line of JSON each.

Knows how events are written, and what the client of a half-answered request is told. Does not know
what an event is about.

Nothing is sent before the first event is there, so that what stands in the way of a request is a
status and not an event. `service.server.carry_out` listens for the client's departure as long as
there is work; after that nothing more is sent, and the work has given its places back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from fastapi.sse import format_sse_event
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.errors import Kind, ServiceError

Event = dict[str, Any]
"""Of `service.native.schemas`; "type" is its name."""
Announce = Callable[[Event], None]
Work = Callable[[Announce], Coroutine[Any, Any, Event]]
"""Announces its events, and returns the last one."""

SSE = "text/event-stream"
JSON_LINES = ("application/x-ndjson", "application/jsonl")
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Proxies are to pass each event on as it comes."""


async def stream(
    work: Work,
    write_error: Callable[[ServiceError], Event],
    accept: str,
    headers: Mapping[str, str],
) -> StreamingResponse:
    """Answer with the events of some work, as soon as the first one is there.

    Args:
        work: begins at once, and is cancelled if the answer cannot go on.
        write_error: the last event of work that failed.
        accept: the request's header.
        headers: of the answer; the work may add to them until its first event is there.

    Raises: what the work raises before its first event.
    """
    events = _events(work, write_error)
    first = await anext(events)
    return _EventStream(first, events, media_type(accept), {**HEADERS, **headers})


def media_type(accept: str) -> str:
    """How events are written for a client that accepts this: lines of JSON if it does not care."""
    best, highest = JSON_LINES[0], 0.0
    for part in accept.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        if name in (SSE, *JSON_LINES) and (weight := _weight(parameters)) > highest:
            best, highest = name, weight
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


async def _events(
    work: Work, write_error: Callable[[ServiceError], Event]
) -> AsyncGenerator[Event, None]:
    announced: asyncio.Queue[Event | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(announced.put_nowait))
    task.add_done_callback(lambda _: announced.put_nowait(None))
    begun = False
    try:
        while (event := await announced.get()) is not None:
            yield event
            begun = True
        yield task.result()
    except ServiceError as error:
        if not begun:
            raise
        yield write_error(error)
    except Exception as error:
        if begun and not isinstance(error, ClientDisconnect):
            yield write_error(ServiceError(Kind.INTERNAL, "internal error"))
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _EventStream(StreamingResponse):
    def __init__(
        self,
        first: Event,
        others: AsyncGenerator[Event, None],
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        encode = _as_sse if media_type == SSE else _as_line

        async def content() -> AsyncGenerator[bytes, None]:
            async with aclosing(others):
                yield encode(first)
                async for event in others:
                    yield encode(event)

        self._content = content()
        self._said = headers
        super().__init__(self._content, headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("http_version") == "1.0":  # which knows no chunks
            whole = b"".join([part async for part in self._content])
            await Response(whole, headers=self._said, media_type=self.media_type)(
                scope, receive, send
            )
            return
        # Not the base class's way, which listens for the client's departure as well: then two
        # would wait for the one message that says so.
        async with aclosing(self._content):
            try:
                await self.stream_response(send)
            except ClientDisconnect:
                return  # the answer stays unfinished; there is nobody to notice


def _as_sse(event: Event) -> bytes:
    return format_sse_event(event=event["type"], data_str=json.dumps(event))


def _as_line(event: Event) -> bytes:
    # In ASCII: many a client takes U+2028 and its like for the end of a line.
    return json.dumps(event).encode() + b"\n"
