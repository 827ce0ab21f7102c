"""Waiting for an answer that a client may stop wanting, on messages written by hand."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request

from service.waiting import answer_while_wanted


def test_only_the_departure_among_a_clients_messages_ends_the_wait() -> None:
    messages = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def never() -> None:
        await asyncio.Event().wait()

    async def wait() -> None:
        deadline = asyncio.get_running_loop().time() + 30
        await answer_while_wanted(Request({"type": "http"}, receive), never(), deadline)

    with pytest.raises(ClientDisconnect):
        asyncio.run(wait())
    assert messages == []
