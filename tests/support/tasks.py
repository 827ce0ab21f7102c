"""Tasks for `mt.jobs.workers`, and what is done about them in another process, as the task says.

Knows what such a process may do: its work, wait for another, fail, die. Does not know chunks. It
is a module of its own since a process that is started anew finds functions by their module.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mt.errors import InputError


@dataclass(frozen=True)
class Scripted:
    """Prepares to do tasks of the form "VERB WORD"; other tasks are put into capitals.

    die N       kill the process, if fewer than N have been killed before
    refuse TEXT raise an InputError
    break TEXT  raise a ValueError
    await NAME  wait until another task says "allow NAME", then go on
    """

    folder: Path
    """For what tasks say to one another."""

    def __call__(self) -> Callable[[str], str]:
        (self.folder / f"{os.getpid()}.prepared").touch(exist_ok=False)
        return self.do

    def do(self, task: str) -> str:
        verb, _, word = task.partition(" ")
        if verb == "die" and len([*self.folder.glob("*.dead")]) < int(word):
            (self.folder / f"{os.getpid()}.dead").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif verb == "refuse":
            raise InputError(word)
        elif verb == "break":
            raise ValueError(word)
        elif verb in ("await", "allow"):
            # Opening either end of such a pipe waits for the other.
            (self.folder / word).open("rb" if verb == "await" else "wb").close()
        return task.upper()

    def pipe(self, name: str) -> Path:
        """Make what "await NAME" and "allow NAME" need."""
        path = self.folder / name
        os.mkfifo(path)
        return path

    @property
    def processes(self) -> set[int]:
        """Those that have been prepared."""
        return {int(path.stem) for path in self.folder.glob("*.prepared")}
