"""A server without a model that answers as a test tells it to, in the test's loop or as a process.

`python -m support.stub_server` is one with a model worker beside it. When that dies all who wait
get 503; SIGTERM has it answer them and leave.

Knows HTTP as far as a load generator needs it. Does not know translations.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LATER = b"HTTP/1.1 429 x\r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n"
NEVER_SAID = b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n"
UNREADY = b"HTTP/1.1 503 x\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
TOO_LATE = b"HTTP/1.1 504 x\r\ncontent-length: 0\r\n\r\n"
HANG_UP = b""
"""Ends the connection."""
NOTHING = b"nothing"
"""Leaves the client waiting."""
WORK_S = 0.02
"""What the process takes for a request; it has any number in hand at once."""


class Stub:
    """A server of scripted answers.

    Args:
        script: answers to POST /translate, again and again; everything else gets 200.
    """

    def __init__(self, script: Sequence[bytes] = (OK,)) -> None:
        self.requests: list[bytes] = []
        """Whatever arrived: head and body, as far as the body came."""
        self.connections = 0
        self.url = ""
        self._script = itertools.cycle(script)
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.StreamWriter] = set()
        self._leaving = False

    async def answer(self, request: bytes) -> bytes:
        """What to send."""
        return next(self._script) if request.startswith(b"POST /translate") else OK

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Stub]:
        """Serve at `url`."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for _ in range(3):  # turns of the loop, in which what has arrived is read
                await asyncio.sleep(0)
            self._leaving = True
            for writer in self._idle:
                writer.close()
            await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(OSError):
            while not self._leaving and (request := await self._read(reader, writer)) is not None:
                answer = await self.answer(request)
                if answer == HANG_UP:
                    break
                if answer != NOTHING:
                    writer.write(answer)
        writer.close()
        self._tasks.remove(task)

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        request = b""
        self._idle.add(writer)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            lengths = re.findall(rb"Content-Length: (\d+)", request)
            request += await reader.readexactly(sum(map(int, lengths)))
        except asyncio.IncompleteReadError as cut:
            if cut.partial or request:
                self.requests.append(request + cut.partial)
            return None
        finally:
            self._idle.remove(writer)
        self.requests.append(request)
        return request


class StubWithWorker(Stub):
    """One with a process that can be killed, which takes its time over each request."""

    def __init__(self) -> None:
        super().__init__()
        self._working: set[asyncio.Future[bytes]] = set()
        self._worker: asyncio.subprocess.Process | None = None
        self._noticed = asyncio.Event()

    async def answer(self, request: bytes) -> bytes:
        if self._worker is None:
            if request.startswith(b"GET /ready"):
                self._noticed.set()
            return UNREADY
        if not request.startswith(b"POST /translate"):
            return OK
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[bytes] = loop.create_future()
        self._working.add(mine)
        loop.call_later(WORK_S, self._finish, mine, OK)
        return await mine

    def _finish(self, work: asyncio.Future[bytes], answer: bytes) -> None:
        if work in self._working:
            self._working.remove(work)
            work.set_result(answer)

    async def keep_worker(self) -> None:
        """Start a worker, and another whenever somebody has asked and heard that there is none."""
        command = (sys.executable, "-c", "import sys; sys.stdin.read()", "service.workers.worker")
        while True:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL)
            self._worker = process
            await process.wait()
            self._worker = None
            for work in list(self._working):
                self._finish(work, UNREADY)
            self._noticed.clear()
            await self._noticed.wait()

    async def end_worker(self) -> None:
        """For good."""
        if self._worker is not None:
            self._worker.kill()
            await self._worker.wait()


async def main() -> None:
    """Serve until SIGTERM."""
    stub, told = StubWithWorker(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    async with stub.running():
        keeper = loop.create_task(stub.keep_worker())
        print(stub.url, flush=True)
        await told.wait()
    keeper.cancel()
    await stub.end_worker()


if __name__ == "__main__":
    asyncio.run(main())
