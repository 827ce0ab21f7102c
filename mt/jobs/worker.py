"""A process of its own that does tasks, one after the other.

Knows one process, the pipe to it and its death. Does not know what a task is, or other processes.

It ends with the process that started it, however that ends, since it watches it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from mt.errors import MTError

# Not fork: threads of torch and ONNX Runtime do not survive one.
_SPAWN = multiprocessing.get_context("spawn")

Prepare = Callable[[], Callable[[Any], Any]]
"""Called once in the process; what it returns does a task. It is pickled on its way there."""


class WorkerLostError(Exception):
    """The process has ended, unasked."""


class Worker:
    """The process, seen from outside; `do` is for one thread at a time."""

    def __init__(self, prepare: Prepare) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(theirs, prepare), daemon=True)
        _start_undisturbed(self._process)
        theirs.close()  # so that a read here ends when the process does

    @property
    def process_id(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def do(self, task: Any) -> Any:
        """The result of a task; both are pickled on their way.

        Raises:
            WorkerLostError: there will be none.
            Exception: what doing the task raised there, or preparing for it.
        """
        try:
            self._pipe.send(task)
            reply = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerLostError from error
        if isinstance(reply, _Raised):
            raise reply.error
        return reply

    def end(self) -> str:
        """End it if it has not ended yet; returns how it did: "killed by SIGKILL", for example."""
        self._process.kill()
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class _Raised(NamedTuple):
    """What comes in place of a result."""

    error: Exception


def _start_undisturbed(process: Any) -> None:
    """Start a process that Ctrl-C, which the terminal sends to all at work, does not reach."""
    resource_tracker.ensure_running()  # if `start` had to start it, it would lift the block below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # is inherited
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, prepare: Prepare) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = None
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            work = work or prepare()
            reply = work(task)
        except Exception as error:
            if not isinstance(error, MTError):
                error.add_note(f"in another process:\n{traceback.format_exc()}")
            reply = _Raised(error)
        pipe.send(reply)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
