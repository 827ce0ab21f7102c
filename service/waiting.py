"""How long a request is waited for: until it is answered, too late, or its client has left.

Knows the connection and the clock. Does not know what is being waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from service.errors import Kind, ServiceError

T = TypeVar("T")
CLIENT_GONE = "client_gone"
"""In the state of a request's scope once its connection is lost: uvicorn takes what is sent after
that, and says nothing."""
BROKEN_BODY = "broken_body"
"""The same once its body has turned out to be no HTTP: of such a one no more will come."""


async def receive_in_time(work: Coroutine[Any, Any, T], deadline: float) -> T:
    """Read a request, which a slow client could otherwise drag out for ever.

    Args:
        work: reads the request.
        deadline: seconds on the clock of the event loop.

    Raises:
        ServiceError: REQUEST_TIMEOUT, the deadline passed.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError as error:
        message = "the request took too long to arrive"
        raise ServiceError(Kind.REQUEST_TIMEOUT, message) from error


async def answer_while_wanted(request: Request, work: Coroutine[Any, Any, T], deadline: float) -> T:
    """Carry out `work`, and cancel it once it is of no use to the client any more.

    Args:
        request: completely read, so that all it can still receive is its disconnection.
        work: makes the answer; cancelled if it is not wanted.
        deadline: seconds on the clock of the event loop.

    Raises:
        ClientDisconnect: the client left.
        ServiceError: DEADLINE, it passed.
    """
    departure = asyncio.ensure_future(_disconnected(request))
    try:
        # The departure brings the deadline forward, which takes one task less than to await both.
        async with asyncio.timeout_at(deadline) as limit:
            departure.add_done_callback(lambda _: _bring_forward(limit))
            return await work
    except TimeoutError as error:
        if departure.done():
            raise ClientDisconnect from error
        raise ServiceError(Kind.DEADLINE, "the translation took too long") from error
    finally:
        departure.cancel()


def _bring_forward(limit: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # the answer is there already
        limit.reschedule(0)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
