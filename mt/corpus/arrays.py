"""Arrays and lines in files: written at their end, and mapped into memory to be read.

Knows NumPy's .npy files and text of one line behind the other. Does not know what they are of.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray


def map_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file; a page of it is read when it is first needed."""
    # As a plain view: np.memmap spends microseconds on each slice.
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def map_lines(path: Path, starts: NDArray[np.int64]) -> Lines:
    """The lines of a text, likewise; `starts` as of `Lines`."""
    return Lines(np.asarray(np.memmap(path, np.uint8, "r")), starts)


class Lines(Sequence[str]):
    """Lines of a mapped text, each decoded when it is asked for."""

    def __init__(self, content: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        """`starts` is [lines + 1]; content[starts[n]:starts[n + 1]] is line n and its line end."""
        self._content, self._starts = content, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Lines: ...
    def __getitem__(self, number: int | slice) -> str | Lines:
        if isinstance(number, slice):
            first, last, step = number.indices(len(self))
            assert step == 1, "lines are handed out in their order"
            return Lines(self._content, self._starts[first : max(first, last) + 1])
        if not 0 <= number < len(self):
            raise IndexError(number)  # which also ends an iteration
        line = self._content[self._starts[number] : self._starts[number + 1] - 1]
        return line.tobytes().decode()


class ArrayWriter:
    """A one-dimensional array in a .npy file that grows at its end."""

    def __init__(self, path: Path, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._length = 0
        self.file = path.open("wb")
        self._write_header()

    def append(self, values: NDArray[Any]) -> None:
        self.file.write(np.ascontiguousarray(values, self._dtype).data)
        self._length += len(values)

    def close(self) -> None:
        if not self.file.closed:
            self.file.seek(0)
            self._write_header()
            close_written(self.file)

    def _write_header(self) -> None:
        # NumPy leaves room in it for a longer length, so the second one is as long as the first.
        descr = npy.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        npy.write_array_header_1_0(self.file, header)


class StartsWriter(ArrayWriter):
    """Where each of many things starts that stand one behind the other, given their lengths."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, np.int64)
        self._end = 0
        super().append(np.zeros(1, np.int64))

    def append(self, lengths: NDArray[Any]) -> None:
        if len(lengths):
            starts = self._end + np.cumsum(lengths, dtype=np.int64)
            super().append(starts)
            self._end = int(starts[-1])


def close_written(file: BinaryIO) -> None:
    """Close a file once what it holds is on the disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
