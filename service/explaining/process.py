"""The one process that explains translations, as the server sees it: started late, bounded, kept.

Knows the process and the lines it speaks. Does not know HTTP, nor what an explanation holds.

Explaining takes torch and up to seconds of computing, so it is done neither on the event loop nor
in the model workers, which do without torch. The process starts with the first request that wants
it and then stays; a lost one is replaced at the next request. One request is explained at a time,
one more may wait, and others are refused. A request that is given up meanwhile is finished all the
same, its answer dropped, so that the process never has to start anew for it.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Sequence

from service.child import command_of, end_child, input_of, start_child
from service.errors import Kind, ServiceError

MOST = 2
"""Requests in hand at a time: one being explained, one waiting."""
COMMAND = command_of("service.explaining.worker")
LIMIT_S = 300.0
"""Seconds after which a process that has not answered is taken for lost; its first answer waits for
torch."""


class Explaining:
    """Explanations from a process of their own.

    Args:
        command: what to run, if not `service.explaining.worker`.
        limit_s: seconds that an answer may take.
    """

    def __init__(self, command: Sequence[str] = COMMAND, limit_s: float = LIMIT_S) -> None:
        self._command = command
        self._limit_s = limit_s
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[bytes]] = set()

    async def explain(self, folder: str, text: str, *, full: bool) -> bytes:
        """An explanation as JSON.

        Args:
            folder: of the model.
            text: one sentence.
            full: with every activation.

        Raises:
            ServiceError: OVERLOADED, others are being explained; INVALID_REQUEST, the text cannot
                be explained; UNAVAILABLE, the process is lost; INTERNAL, the model cannot be
                loaded, or a bug.
        """
        if len(self._tasks) >= MOST:
            message = "others are being explained; try again soon"
            raise ServiceError(Kind.OVERLOADED, message, retry_after_s=1)
        request = json.dumps({"folder": folder, "text": text, "full": full}).encode() + b"\n"
        task = asyncio.create_task(self._take_turn(request))
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the process at once, whatever it does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end()

    async def _take_turn(self, request: bytes) -> bytes:
        async with self._turn:
            try:
                async with asyncio.timeout(self._limit_s):
                    return await self._ask(request)
            # It has died, does not start, does not answer, or answers what cannot be read.
            except (EOFError, OSError, ValueError, LookupError, TypeError) as error:
                await self._end()
                message = "the process that explains is lost; try again"
                raise ServiceError(Kind.UNAVAILABLE, message, retry_after_s=1) from error

    async def _ask(self, request: bytes) -> bytes:
        if self._process is None:
            self._process = await start_child(self._command)
        stdin, stdout = input_of(self._process), self._process.stdout
        assert stdout is not None
        stdin.write(request)
        await stdin.drain()
        head, answer = await stdout.readline(), await stdout.readline()
        if not answer.endswith(b"\n"):
            raise EOFError
        if refusal := json.loads(head):
            raise ServiceError(Kind(refusal["kind"]), refusal["message"])
        return answer

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await end_child(process)

    def _over(self, task: asyncio.Task[bytes]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, for the case that nobody waits for it any more
