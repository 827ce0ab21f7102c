"""The service over stand-in workers, and clients of it.

Knows the app in this process (`ask`), and a real server on loopback (`real_server`). Does not know
what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import uvicorn

from scripts.serve import server_config
from service.app import create_app
from service.explaining.process import Explaining
from service.server import Server
from service.settings import Settings
from service.texts.catalogue import Catalogue
from support.workers import StubWorkers, stub_catalogue

WAIT_S = 30
"""What would be waited for in vain fails after this; a test that passes never waits so long."""
JSON = {"content-type": "application/json"}


class Client:
    """A client of the app, with the app's own objects at hand."""

    def __init__(self, app: Any, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http

    @property
    def server(self) -> Server:
        server = self.app.state.server
        assert isinstance(server, Server)
        return server

    async def translate(self, q: object, **parameters: object) -> httpx.Response:
        """POST /translate, from German to English if not said otherwise."""
        body = {"q": q, "source": "de", "target": "en", **parameters}
        return await self.http.post("/translate", content=json.dumps(body), headers=JSON)

    async def ready(self) -> None:
        """Wait until the service is."""
        await until(lambda: self.server.translation.status == "ready")


@contextlib.asynccontextmanager
async def serving(
    workers: StubWorkers | None = None,
    *,
    catalogue: Catalogue | None = None,
    explaining: Explaining | None = None,
    warm: bool = True,
    **settings: Any,
) -> AsyncIterator[Client]:
    """The app in this process; `warm` waits until it is ready."""
    workers = workers or StubWorkers()
    app = create_app(
        Settings(**{"deadline_s": WAIT_S, "max_wait_s": WAIT_S, "workers": 1, **settings}),
        catalogue=catalogue or stub_catalogue(),
        start_worker=workers.start,
        explaining=explaining,
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            client = Client(app, http)
            if warm:
                await client.ready()
            yield client
            workers.release()


def ask(
    conversation: Callable[[Client], Awaitable[Any]],
    workers: StubWorkers | None = None,
    **arguments: Any,
) -> Any:
    """Start the app, hold a conversation with it, stop it; arguments as of `serving`."""

    async def run() -> Any:
        async with serving(workers, **arguments) as client:
            return await conversation(client)

    return asyncio.run(run())


@contextlib.contextmanager
def real_server(
    workers: StubWorkers | None = None,
    *,
    catalogue: Catalogue | None = None,
    explaining: Explaining | None = None,
    **settings: Any,
) -> Iterator[str]:
    """A server on a free port, in a thread of this process; gives its URL.

    The workers live on the loop of that thread: tell them everything beforehand.
    """
    workers = workers or StubWorkers()
    ready = threading.Event()
    given = Settings(**{"deadline_s": WAIT_S, "max_wait_s": WAIT_S, "workers": 1, **settings})
    app = create_app(
        given,
        catalogue=catalogue or stub_catalogue(),
        start_worker=workers.start,
        explaining=explaining,
        on_ready=ready.set,
    )
    server = uvicorn.Server(server_config(app, given))  # as mt-serve has it
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(WAIT_S), "the server did not start"
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(WAIT_S)
            assert not thread.is_alive()


async def occupy(client: Client, workers: StubWorkers) -> asyncio.Task[httpx.Response]:
    """Keep the worker busy with a request until `workers.release()`."""
    workers.hold()
    before = len(workers.batches)
    task = asyncio.create_task(client.translate("busy"))
    await until(lambda: len(workers.batches) > before)
    return task


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until something holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0)
