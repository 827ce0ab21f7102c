"""What went wrong and where, without a word of what it was about.

Knows exceptions. An exception's message and the values of its variables can hold a client's text,
so neither is read: what is left are types, files, lines and functions.
"""

from __future__ import annotations

import os
import traceback
from typing import TypedDict

LIMIT = 8
"""Exceptions told of, over causes and groups."""
OUTERMOST, INNERMOST = 5, 25
"""Frames told of each; endless recursion has a thousand."""


class Described(TypedDict):
    """One exception."""

    type: str
    frames: list[str]
    """File, line and function, the innermost last."""


def describe(error: BaseException) -> list[Described]:
    """An exception, then those it came from and, if it is a group, those in it."""
    found: list[BaseException] = []
    open_ends: list[BaseException | None] = [error]
    while open_ends and len(found) < LIMIT:
        each = open_ends.pop(0)
        if each is None or any(each is known for known in found):
            continue
        found.append(each)
        open_ends.append(
            each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        )
        if isinstance(each, BaseExceptionGroup):
            open_ends += each.exceptions
    return [{"type": _name(each), "frames": _frames(each)} for each in found]


def _name(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _frames(error: BaseException) -> list[str]:
    frames = [
        f"{os.path.basename(frame.f_code.co_filename)}:{line} {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    left_out = len(frames) - OUTERMOST - INNERMOST
    if left_out > 0:
        frames[OUTERMOST:-INNERMOST] = [f"({left_out} more)"]
    return frames
