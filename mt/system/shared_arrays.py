"""Arrays that several processes have once: the first that needs them makes them, others map them.

Knows files that lie in memory alone, and locks. Does not know what the arrays are. Where the system
has no such files, or does not let one process open another's, each process has its own arrays.
"""

from __future__ import annotations

import contextlib
import logging
import math
import mmap
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger("mt.system.shared_arrays")

Shapes = Sequence[tuple[int, ...]]
Fill = Callable[[Sequence[NDArray[Any]]], None]
"""Writes every number of the arrays it is handed."""

_NOT_SHARED = "each process has its tables for itself"
_WHOLE = b"\1"
"""Stands behind the arrays once they are."""


@contextlib.contextmanager
def shared_file() -> Iterator[Path | None]:
    """A file for the arrays of one model while the block lasts; None where there can be none.

    Processes of the same user may open it by its path. It takes memory once one has filled it, and
    gives that back when this block and the last of them have ended.
    """
    if sys.platform != "linux":
        yield None
        return
    try:
        file = os.memfd_create("mt-arrays")
    except OSError as error:
        log.warning("%s: %s", _NOT_SHARED, error)
        yield None
        return
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{file}")
    finally:
        os.close(file)


def shared_arrays(path: Path | None, shapes: Shapes, dtype: Any, fill: Fill) -> list[NDArray[Any]]:
    """Arrays of these shapes, filled once for all processes that name the same file.

    Args:
        path: of a `shared_file`, used for nothing else; None for arrays of this process alone.
        fill: called by one process at a time, and by none any more once they are whole. What it
            raises is raised here, and the next process calls its own.
    """
    if path is not None:
        try:
            file = path.open("r+b", buffering=0)
        except OSError as error:
            log.warning("%s: %s", _NOT_SHARED, error)
        else:
            with file:
                return _mapped(file, shapes, np.dtype(dtype), fill)
    arrays = [np.empty(shape, dtype) for shape in shapes]
    fill(arrays)
    return arrays


def _mapped(
    file: IO[bytes], shapes: Shapes, dtype: np.dtype[Any], fill: Fill
) -> list[NDArray[Any]]:
    import fcntl

    size = sum(map(math.prod, shapes)) * dtype.itemsize
    fcntl.flock(file, fcntl.LOCK_EX)  # let go of by a process that dies, too
    try:
        if os.fstat(file.fileno()).st_size != size + len(_WHOLE):
            file.truncate(size)
            fill(_views(mmap.mmap(file.fileno(), size), shapes, dtype))
            file.seek(size)
            file.write(_WHOLE)
    finally:
        # Closing the file would not: a map holds on to it.
        fcntl.flock(file, fcntl.LOCK_UN)
    return _views(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ), shapes, dtype)


def _views(memory: mmap.mmap, shapes: Shapes, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    numbers = np.frombuffer(memory, dtype)
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(numbers, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
