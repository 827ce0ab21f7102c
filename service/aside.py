"""Work in Python that is too long for the event loop, which has other clients to see to meanwhile.

Knows threads. Does not know the work, nor how much of it is too much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def aside_if(
    large: bool, function: Callable[P, T], *arguments: P.args, **named: P.kwargs
) -> T:
    """What the function gives; called on a thread of its own if that is worth its way there."""
    if large:
        return await asyncio.to_thread(function, *arguments, **named)
    return function(*arguments, **named)
