"""How many characters a client may send in a minute.

Knows counts per client over time. Does not know who the clients are, nor what is counted for good.

The sliding window counter keeps two numbers a client: the characters of this minute and of the one
before, of which that part counts which is less than 60 s ago, as if they had come evenly. A moving
window would be exact, but `limits` keeps an entry for each single character in it.

A client is forgotten two to three minutes after it came last.
"""

from __future__ import annotations

import asyncio
import math
from typing import NamedTuple

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from service.errors import Kind, ServiceError

MINUTE_S = 60
SWEEP_S = 60.0
"""Seconds between two searches for clients to forget."""
SWEEP_CLIENTS = 1000
"""Clients looked at before others get their turn on the event loop, about 0.1 ms."""


class Allowance(NamedTuple):
    """What a client may send now."""

    limit: int
    """Characters a minute."""
    remaining: int
    """Characters that would be accepted at once."""
    reset_s: int
    """Whole seconds after which, if no more is sent, the limit is there in full."""

    @property
    def headers(self) -> dict[str, str]:
        """What an answer tells of it."""
        names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
        return dict(zip(names, map(str, self), strict=True))


class Window(NamedTuple):
    """What a client has sent, as the storage of `limits` tells it."""

    previous: int
    """Characters of the minute before this one."""
    previous_s: float
    """Seconds until none of them counts any more, at the end of this minute; 0 without any."""
    current: int
    """Characters of this minute."""
    current_s: float
    """Seconds until none of these counts any more: to the end of the next minute."""


class Rates:
    """Counts of all clients; to be used on one event loop."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    def start(self) -> None:
        """Begin to forget clients that have not come for long."""
        # While `timer` runs the storage starts no sweep of its own, which it would do on every
        # request: over 100,000 addresses that takes 8 ms of the loop, ours one a minute in slices.
        self._storage.timer = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """End what `start` began."""
        if self._storage.timer:
            self._storage.timer.cancel()
            await asyncio.wait([self._storage.timer])

    async def take(self, client: str, characters: int, limit: int) -> Allowance:
        """Count characters that a client has sent.

        Args:
            client: whom to count them for.
            limit: characters that this client may send in a minute.

        Raises:
            ServiceError: RATE_LIMITED, too many for now, which are not counted; TOO_LARGE, more
                than could be accepted at any time.
        """
        if characters > limit:
            message = f"request ({characters}) exceeds the limit of {limit} characters a minute"
            raise ServiceError(Kind.TOO_LARGE, message)
        minute = RateLimitItemPerMinute(limit)
        taken = await self._limiter.hit(minute, client, cost=characters)
        window = Window(
            *await self._storage.get_sliding_window(minute.key_for(client), MINUTE_S),
        )
        left = Allowance(limit, remaining(window, limit), seconds_until_room(window, limit, limit))
        if not taken:
            wait_s = seconds_until_room(window, characters, limit)
            message = f"{limit} characters a minute are accepted, try again in {wait_s} s"
            raise ServiceError(
                Kind.RATE_LIMITED, message, retry_after_s=wait_s, headers=left.headers
            )
        return left

    async def forget_expired(self) -> None:
        """Forget clients whose characters do not count any more."""
        for number, client in enumerate(list(self._storage.expirations)):
            await self._storage.get(client)  # forgets it if it is time
            if number % SWEEP_CLIENTS == 0:
                await asyncio.sleep(0)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.forget_expired()


def remaining(window: Window, limit: int) -> int:
    """Characters that would be accepted now."""
    sent = window.previous * window.previous_s / MINUTE_S + window.current
    return max(0, limit - math.floor(sent))


def seconds_until_room(window: Window, characters: int, limit: int) -> int:
    """Whole seconds, at least 1, after which so many characters are accepted if no more is sent."""
    assert characters <= limit
    # Accepted is what leaves floor(sent) + characters <= limit, which is sent < bound.
    bound = limit - characters + 1
    rest_s = window.current_s - MINUTE_S  # of this minute
    if window.current < bound:
        # Enough of the previous minute has to fade, while this one counts in full.
        wait_s = rest_s - MINUTE_S * (bound - window.current) / max(1, window.previous)
    else:
        # So it will be in the next minute, in which this one fades.
        wait_s = rest_s + MINUTE_S - MINUTE_S * bound / window.current
    return max(0, math.floor(wait_s)) + 1  # `sent` has to be below the bound, not at it
