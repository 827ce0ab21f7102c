"""A model worker as the server sees it: a process to hand batches to, and its death.

Knows the process and the pipes to it. Does not know what waits for it, or other workers.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from mt.errors import ConfigError
from service.child import command_of, end_child, input_of, start_child
from service.workers.work import (
    LENGTH_BYTES,
    STOP,
    Assignment,
    Batch,
    Outcome,
    frame,
    read_outcomes,
)

UNREADABLE = "its answer cannot be read"


class WorkerLostError(Exception):
    """The worker has ended, does not answer, or answers what makes no sense; the message says."""


class Done(NamedTuple):
    """A batch, translated."""

    outcomes: Sequence[Outcome]
    seconds: float


class Worker(Protocol):
    """Whoever translates batches, one at a time."""

    @property
    def engines(self) -> Mapping[str, str]:
        """What does the arithmetic of each model, by the model's name."""

    async def translate(self, batch: Batch) -> Done:
        """Raises: WorkerLostError."""

    def stop(self) -> None:
        """Have the batch at hand answered at once, whatever the answer; else do nothing."""

    async def ended(self) -> None:
        """Wait until there is nobody to translate any more."""

    async def end(self) -> None:
        """End it at once, whatever it does; also if it has ended already."""


class ModelProcess:
    """A process that runs `service.workers.worker`."""

    def __init__(self, process: Process, engines: Mapping[str, str]) -> None:
        self._process = process
        self.engines = engines

    @classmethod
    async def start(cls, assignment: Assignment) -> ModelProcess:
        """Start a process and wait until its models are loaded and warm.

        Raises:
            ConfigError: a model cannot be loaded, or the machine lacks what the engine needs.
            WorkerLostError: it ended before that.
        """
        worker = cls(await start_child(command_of("service.workers.worker")), {})
        try:
            answer = await worker._ask(assignment)
            if "error" in answer:
                raise ConfigError(answer["error"])
        except BaseException:
            await worker.end()
            raise
        worker.engines = answer["engines"]
        return worker

    @property
    def process_id(self) -> int:
        return self._process.pid

    async def translate(self, batch: Batch) -> Done:
        answer = await self._ask(batch)
        try:
            done = Done(read_outcomes(answer["outcomes"]), answer["seconds"])
        except (LookupError, TypeError, ValueError) as error:
            raise WorkerLostError(UNREADABLE) from error
        if len(done.outcomes) != len(batch.segments):
            raise WorkerLostError(UNREADABLE)
        return done

    def stop(self) -> None:
        with suppress(ConnectionError):
            input_of(self._process).write(frame(STOP))

    async def ended(self) -> None:
        await self._process.wait()

    async def end(self) -> None:
        await end_child(self._process)

    async def _ask(self, value: Any) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            stdin = input_of(self._process)
            stdin.write(frame(value))
            await stdin.drain()
            size = int.from_bytes(await stdout.readexactly(LENGTH_BYTES), "big")
            return json.loads(await stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise WorkerLostError("it has ended") from error
        except ValueError as error:
            raise WorkerLostError(UNREADABLE) from error
