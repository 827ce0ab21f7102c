"""How much is done on the event loop before others have their turn.

Knows counts, and a task of its own that looks at them whenever it has a turn. Does not know what is
counted, nor clocks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable


@contextlib.asynccontextmanager
async def most_in_a_turn(*counts: Callable[[], int]) -> AsyncIterator[list[int]]:
    """The most that each count grows between two turns of another task; to be read at the end."""
    most = [0 for _ in counts]

    async def watch() -> None:
        before = [count() for count in counts]
        while True:
            await asyncio.sleep(0)
            now = [count() for count in counts]
            most[:] = [max(m, n - b) for m, n, b in zip(most, now, before, strict=True)]
            before = now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield most
        await asyncio.sleep(0)
    finally:
        watching.cancel()
