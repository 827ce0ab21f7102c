"""A load generator for one HTTP server, cheap enough to offer thousands of requests a second.

Knows clients with connections that are kept, requests as ready-made bytes, and when each was due.
Does not know what is asked, or what an answer says beyond its status.

A closed loop has so many clients that each wait for their answer before they ask again: it finds
out what a server can do. An open loop asks when a request is due, whatever became of the others, as
the world does: it shows what a server does when that is too much. Latencies count from the moment
a request was due, so that a late generator cannot make a server look fast.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import resource
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from scripts.benchmarks.connection import Connection

PATIENCE_S = 30.0
"""Seconds after which a client gives up waiting."""
IDLE_S = 2.0
"""Seconds a connection may be idle before it is used again; servers close theirs after 5 or more,
and a request must not meet that."""

REFUSED, BROKEN, SILENT = "refused", "broken", "silent"
"""Outcomes that are not a status: no connection, one that ended without an answer, no answer in
time."""


class Request(NamedTuple):
    """A request as it goes out."""

    data: bytes
    kind: str = ""
    """What it is called where there are several kinds."""
    characters: int = 0
    """Of all its texts."""


class Answer(NamedTuple):
    """What became of a request; times are those of the event loop, in seconds."""

    request: Request
    outcome: str
    """The status, "200" for example, or one of the outcomes above."""
    retry_after: bool
    due: float
    sent: float
    done: float

    @property
    def seconds(self) -> float:
        """From the moment it was due to the last byte of its answer."""
        return self.done - self.due


class Client:
    """Any number of connections to one server; what is idle is closed when the context ends.

    Args:
        url: `http://HOST:PORT`.
        keeps: use connections again.
    """

    def __init__(self, url: str, *, keeps: bool = True, patience_s: float = PATIENCE_S) -> None:
        parts = urlsplit(url)
        assert parts.scheme == "http", url
        assert parts.hostname is not None, url
        self._host, self._port = parts.hostname, parts.port or 80
        self._keeps, self._patience_s = keeps, patience_s
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def open(self, connections: int) -> None:
        """Connect beforehand, so that no request has to wait for that."""
        opened = [await self._connection() for _ in range(connections)]
        for connection in opened:
            self._put_back(connection)

    async def ask(self, request: Request, due: float | None = None) -> Answer:
        """Send one request and wait for the end of its answer."""
        clock = asyncio.get_running_loop().time
        sent = clock()
        outcome, retry_after = REFUSED, False
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._patience_s):
                connection = await self._connection()
                reply = await connection.ask(request.data)
            outcome, retry_after = reply.status, reply.retry_after
            if reply.keeps and self._keeps:
                self._put_back(connection)
            else:
                connection.close()
        except TimeoutError:
            outcome = SILENT
        except OSError:
            outcome = REFUSED if connection is None else BROKEN
        finally:
            if connection is not None and connection.waits:
                connection.close()
        return Answer(request, outcome, retry_after, sent if due is None else due, sent, clock())

    async def abandon(self, data: bytes, after_s: float) -> None:
        """Send something and leave without waiting for what comes of it.

        Raises:
            OSError: no connection.
        """
        connection = await self._connect()
        connection.write(data)
        await asyncio.sleep(after_s)
        connection.close()

    async def _connection(self) -> Connection:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.open and now - connection.idle_since < IDLE_S:
                return connection
            connection.close()
        return await self._connect()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection

    def _put_back(self, connection: Connection) -> None:
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)


Wanted = Callable[[], bool]


async def closed_loop(
    client: Client,
    requests: Iterator[Request],
    clients: int,
    *,
    wanted: Wanted = lambda: True,
    pause_s: float = 0.0,
) -> list[Answer]:
    """Ask until there are no more requests, or no more are wanted.

    Args:
        clients: that ask one after the other, all of them at once.
        wanted: asked before each request.
        pause_s: how long a client rests that got anything but 200.
    """
    answers: list[Answer] = []

    async def ask_on() -> None:
        while wanted() and (request := next(requests, None)) is not None:
            answer = await client.ask(request)
            answers.append(answer)
            if answer.outcome != "200" and pause_s:
                await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask_on())
    return answers


async def open_loop(
    client: Client, requests: Iterator[Request], arrivals: Iterable[float]
) -> list[Answer]:
    """Ask at the given times, in seconds from now on, and wait for all answers, in that order."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    tasks = []
    for arrival in arrivals:
        due = begun + arrival
        # Even a generator that is late has to read answers.
        await asyncio.sleep(max(due - loop.time(), 0))
        tasks.append(loop.create_task(client.ask(next(requests), due)))
    return await asyncio.gather(*tasks)


def poisson(rate: float, seconds: float) -> Iterator[float]:
    """Arrivals of people who do not know of each other, always the same; `rate` a second."""
    gaps = random.Random(1)
    times = itertools.accumulate(gaps.expovariate(rate) for _ in itertools.count())
    return itertools.takewhile(lambda time: time < seconds, times)


def every(period_s: float, seconds: float) -> Iterator[float]:
    """Arrivals by the clock, the first at once."""
    times = (number * period_s for number in itertools.count())
    return itertools.takewhile(lambda time: time < seconds, times)


def allow_connections() -> None:
    """Let this process have as many connections as the system allows; call it when the server has
    started, which would inherit that."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
