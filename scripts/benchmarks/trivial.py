"""A server that answers 200 to whatever arrives, to find out what a load generator can offer.

`python -m scripts.benchmarks.trivial` prints its port and serves until its standard input ends.
Knows nothing of HTTP but one answer: what arrives at once is one request.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from scripts.benchmarks.server import pinned

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{"translatedText": "ok"}'


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


@contextmanager
def trivial_server(cpus: Collection[int]) -> Iterator[str]:
    """Its URL, while it runs on these processors."""
    command = [sys.executable, "-m", "scripts.benchmarks.trivial"]
    with pinned(cpus):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
