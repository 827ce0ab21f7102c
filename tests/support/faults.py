"""A disk that fails, or a process that dies, at any one of the steps in which files are written.

Knows the calls by which `mt.system.files` and its users change a folder. Does not know what they
write.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

Kind = Literal["full", "killed"]
"""full: that step raises OSError and the ones after it work. killed: none works from then on."""


class Killed(BaseException):
    """Stands for the end of the process: no handler of errors sees it, and nothing runs after."""


@dataclass
class Fault:
    """Which step goes wrong, and whether it came to that."""

    step: int
    """Counted from 1."""
    kind: Kind
    steps: int = 0
    """Steps begun so far."""

    @property
    def happened(self) -> bool:
        return self.steps >= self.step

    def check(self) -> None:
        """Begin a step."""
        self.steps += 1
        if self.kind == "killed" and self.steps >= self.step:
            raise Killed
        if self.steps == self.step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def fault_at(step: int, kind: Kind) -> Iterator[Fault]:
    """Within it, what changes a folder goes wrong at the given step; the error ends there too."""
    fault = Fault(step, kind)

    def faulty(call: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*arguments: Any, **options: Any) -> Any:
            fault.check()
            return call(*arguments, **options)

        return stand_in

    def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode != "wb":
            return open(path, mode, *arguments, **options)
        fault.check()
        return _File(path, fault)

    def flushed(descriptor: int) -> None:
        fault.check()  # and no more: no test here pulls the plug

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", opened)
        patch.setattr(os, "fsync", flushed)
        patch.setattr(os, "getpid", lambda: 4711)  # another process than the one that comes after
        for name in ("replace", "unlink"):
            patch.setattr(os, name, faulty(getattr(os, name)))
        try:
            yield fault
        except (OSError, Killed):
            assert fault.happened


class _File(io.FileIO):
    """A file whose write may stop half-way."""

    def __init__(self, path: Path, fault: Fault) -> None:
        super().__init__(path, "wb")
        self.fault = fault

    def write(self, content: Any) -> int:
        try:
            self.fault.check()
        except BaseException:
            super().write(content[: len(content) // 2])
            raise
        return super().write(content)
