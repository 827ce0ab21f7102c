"""What becomes of clients when a model worker is killed, and when the server is told to leave.

Knows a server started here, its processes and signals. Clients ask in a closed loop; one that is
refused rests a little, so that the number of refusals says something.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any

from mt.errors import ConfigError
from scripts.benchmarks.figures import bar, outcomes, without_retry_after
from scripts.benchmarks.load import Answer, Client, Request, closed_loop
from scripts.benchmarks.sentences import get
from scripts.benchmarks.server import (
    LOOK_S,
    STOP_S,
    Server,
    is_running,
    model_workers_of,
    processes_of,
)
from service.settings import load_settings

REST_S = 0.1
"""How long a client rests that got anything but 200."""
UNREADY_S, RECOVERY_S = 5.0, 60.0
"""How long a server gets to see that a worker is dead, and then to be ready again."""
ON_THE_WAY_S = 0.05
"""What was sent less than this before a signal may not have reached the server."""

EXIT_S = 9.0
"""What is promised: the server is gone by then."""


async def measure_kill(
    server: Server, requests: Iterator[Request], *, clients: int, seconds: float
) -> dict[str, Any]:
    """Kill a model worker under load, and go on until the server has been ready for a while.

    Args:
        requests: without end, all different.
        seconds: of load before and after.

    Raises:
        ConfigError: the server has no model workers that could be killed.
    """
    assert server.pid is not None
    workers = model_workers_of(server.pid)
    if not workers:
        raise ConfigError("the server has no `service.workers.worker` to kill")
    clock, over = asyncio.get_running_loop().time, asyncio.Event()
    load = asyncio.create_task(_load(server.url, requests, clients, over))
    await asyncio.sleep(seconds)
    killed = clock()
    os.kill(workers[0], signal.SIGKILL)
    ready_s = await _ready_again(server.url)
    await asyncio.sleep(seconds)
    over.set()
    batch = load_settings().batch_characters  # from the same environment as the server's
    return {"workers": len(workers)} | kill_record(await load, killed, ready_s, batch)


def kill_record(
    answers: Sequence[Answer], killed: float, ready_s: float | None, batch_characters: int
) -> dict[str, Any]:
    """What clients got who waited when a worker was killed, and those who came later.

    Args:
        killed: time of the event loop.
        ready_s: seconds from then until the server was ready again; None if it was not.
        batch_characters: what a worker translates in one call, and what may be lost with it.
    """
    waiting = _in_flight(answers, killed)
    lost = sum(answer.request.characters for answer in waiting if answer.outcome == "503")
    left = sum(not answer.outcome.isdecimal() for answer in answers)
    longest = max((answer.seconds for answer in answers if answer.done > killed), default=0.0)
    mute = without_retry_after(answers)
    return {
        "in_flight": outcomes(waiting),
        "in_flight_characters_503": lost,
        "afterwards": outcomes([answer for answer in answers if answer.sent > killed]),
        "longest_wait_s": longest,
        "ready_again_s": ready_s,
        "bars": [
            bar(
                "kill -9: nobody is left waiting", f"{left} are; at most {longest:.2f} s", not left
            ),
            bar(
                f"of those in flight at most a batch, {batch_characters} characters, gets 503",
                f"{lost} characters",
                lost <= batch_characters,
            ),
            bar("every 503 has Retry-After", f"{mute} have not", not mute),
            bar(
                "/ready says no, and then yes again",
                "not so" if ready_s is None else f"after {ready_s:.2f} s",
                ready_s is not None,
            ),
        ],
    }


async def measure_drain(
    server: Server, requests: Iterator[Request], *, clients: int, seconds: float
) -> dict[str, Any]:
    """Send SIGTERM under load and wait for the server's end.

    Args:
        requests: without end, all different.
        seconds: of load before it.
    """
    assert server.process is not None
    family = processes_of(server.process.pid)
    clock, over = asyncio.get_running_loop().time, asyncio.Event()
    load = asyncio.create_task(_load(server.url, requests, clients, over))
    await asyncio.sleep(seconds)
    signalled = clock()
    server.process.send_signal(signal.SIGTERM)
    while server.process.poll() is None and clock() < signalled + STOP_S:
        await asyncio.sleep(LOOK_S)
    exit_s = clock() - signalled
    over.set()
    answers = await load
    left = sum(is_running(pid) for pid in family)
    return {"exit_code": server.process.poll()} | drain_record(answers, signalled, exit_s, left)


def drain_record(
    answers: Sequence[Answer], signalled: float, exit_s: float, left: int
) -> dict[str, Any]:
    """What clients got who waited when the server was told to leave, and those who came later.

    Args:
        signalled: time of the event loop.
        exit_s: seconds from then to the end of the server's first process.
        left: processes of it that are there still.
    """
    accepted = [
        answer
        for answer in _in_flight(answers, signalled)
        if answer.sent < signalled - ON_THE_WAY_S
    ]
    lost = sum(answer.outcome != "200" for answer in accepted)
    return {
        "in_flight": outcomes(_in_flight(answers, signalled)),
        "accepted": outcomes(accepted),
        "afterwards": outcomes([answer for answer in answers if answer.sent > signalled]),
        "exit_s": exit_s,
        "bars": [
            bar(
                "SIGTERM: everything accepted is answered 200",
                f"{lost} of {len(accepted)} are not",
                not lost,
            ),
            bar(f"exit within {EXIT_S:g} s", f"{exit_s:.2f} s", exit_s <= EXIT_S),
            bar("no process is left", f"{left} are", not left),
        ],
    }


def failure_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for those in flight at each signal and one for who came later."""
    rows = []
    for name, part in (("kill -9", record["kill"]), ("SIGTERM", record["drain"])):
        for time in ("in_flight", "afterwards"):
            found = ", ".join(f"{count} x {outcome}" for outcome, count in part[time].items())
            rows.append([f"{name}, {time.replace('_', ' ')}", found or "-"])
    return ["", "found"], rows


def _in_flight(answers: Sequence[Answer], moment: float) -> list[Answer]:
    return [answer for answer in answers if answer.sent <= moment < answer.done]


async def _load(
    url: str, requests: Iterator[Request], clients: int, over: asyncio.Event
) -> list[Answer]:
    async with Client(url) as client:
        await client.open(clients)
        return await closed_loop(
            client, requests, clients, wanted=lambda: not over.is_set(), pause_s=REST_S
        )


async def _ready_again(url: str) -> float | None:
    """Seconds until /ready has said no and then yes again; None if either does not come."""
    clock = asyncio.get_running_loop().time
    begun = clock()

    async def comes(ready: bool, seconds: float) -> bool:
        deadline = clock() + seconds
        while ((await client.ask(get("/ready"))).outcome == "200") != ready:
            if clock() > deadline:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async with Client(url) as client:
        again = await comes(False, UNREADY_S) and await comes(True, RECOVERY_S)
    return clock() - begun if again else None
