"""What a server does with several times as many requests as it can answer.

Knows a server that is ready, finds out what it can do, and then asks for more, whatever it answers.
Meanwhile `GET /health` is asked over connections of its own, as a supervisor does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from mt.errors import ConfigError
from scripts.benchmarks.figures import (
    REFUSALS,
    bar,
    generator_of,
    milliseconds,
    outcomes,
    rate,
    shares,
    without_retry_after,
)
from scripts.benchmarks.load import (
    Answer,
    Client,
    Request,
    allow_connections,
    closed_loop,
    every,
    open_loop,
    poisson,
)
from scripts.benchmarks.sentences import get
from scripts.benchmarks.trivial import trivial_server

FEWEST_CLIENTS, MANY_CLIENTS, MOST_CLIENTS = 32, 128, 512
GAIN = 1.05
"""Twice as many clients that bring less than this are enough, once they are many: a batch has to
fill up while another is translated."""
HEALTH_PERIOD_S = 0.1
GENERATOR_S = 1.0
"""How long the generator alone is measured."""

GOODPUT, MOST_LATE, HEALTH_S = 0.9, 0.01, 1.0
"""What is promised: of the peak, of all answers, and at most."""


class Flood(NamedTuple):
    """What came of the open loop."""

    answers: Sequence[Answer]
    health: Sequence[Answer]
    begun: float
    """Time of the event loop."""
    seconds: float
    """That requests arrived for."""
    cpu_s: float
    """Of the generator."""


async def measure_overload(
    url: str, requests: Iterator[Request], *, times: float, seconds: float
) -> dict[str, Any]:
    """Find the peak, offer so many times as much, and see whether the peak is there afterwards.

    Args:
        requests: without end, all different.
        times: what to offer, in peaks.
        seconds: to offer it for. The peak is sought for a sixth of that with each number of
            clients.

    Raises:
        ConfigError: the server answers nothing.
    """
    allow_connections()
    async with Client(url) as client, Client(url, keeps=False) as prober:
        await _rate_of(client, requests, FEWEST_CLIENTS, seconds / 6)  # to warm up
        steps = await _find_capacity(client, requests, seconds / 6)
        best = max(steps, key=lambda step: step["per_s"])
        if not best["per_s"]:
            raise ConfigError(f"{url}: no request was answered 200, so there is no peak")
        flood = await overflow(client, prober, requests, times * best["per_s"], seconds)
        after = await _rate_of(client, requests, int(best["clients"]), seconds / 6)
    record = {"capacity": steps, "capacity_after_per_s": after, "times": times, "seconds": seconds}
    return record | overload_record(flood, max(best["per_s"], after))


def measure_generator(requests: Iterator[Request], cpus: Collection[int]) -> dict[str, float]:
    """Requests a second that the generator makes of a server that does nothing, on these
    processors: what it offers below must be far less."""

    async def measure(url: str) -> float:
        async with Client(url) as client:
            return await _rate_of(client, requests, FEWEST_CLIENTS, GENERATOR_S)

    with trivial_server(cpus) as url:
        return {"generator_limit_per_s": asyncio.run(measure(url))}


def overload_record(flood: Flood, peak: float) -> dict[str, Any]:
    """What a flood came to, beside what was promised.

    Args:
        peak: answers a second at best.
    """
    goodput = rate(flood.answers, flood.begun, flood.seconds)
    parts = shares(flood.answers)
    silent = without_retry_after(flood.answers)
    unanswered = sum(not answer.outcome.isdecimal() for answer in flood.answers)
    slowest = max(answer.seconds for answer in flood.health)
    healthy = all(answer.outcome == "200" for answer in flood.health)
    refusals = sum(answer.outcome in REFUSALS for answer in flood.answers)
    return {
        "peak_per_s": peak,
        "offered_per_s": len(flood.answers) / flood.seconds,
        "goodput_per_s": goodput,
        "goodput_to_peak": goodput / peak,
        "shares": parts,
        "refusals": refusals,
        "refusals_without_retry_after": silent,
        "unanswered": unanswered,
        "accepted": milliseconds(flood.answers),
        "health": {"slowest_ms": 1000 * slowest, "outcomes": outcomes(flood.health)},
        "generator": generator_of(flood.answers, flood.cpu_s, flood.seconds),
        "bars": [
            bar(
                f"goodput >= {GOODPUT:.0%} of peak",
                f"{goodput / peak:.1%}",
                goodput >= GOODPUT * peak,
            ),
            bar(
                f"504 < {MOST_LATE:.0%}",
                f"{parts.get('504', 0):.2%}",
                parts.get("504", 0) < MOST_LATE,
            ),
            bar(
                "every 429 and 503 has Retry-After", f"{silent} of {refusals} have not", not silent
            ),
            bar("every request is answered", f"{unanswered} are not", not unanswered),
            bar(
                f"/health says 200 in < {HEALTH_S:g} s",
                f"{slowest:.3f} s" + ("" if healthy else ", and other answers"),
                healthy and slowest < HEALTH_S,
            ),
        ],
    }


def overload_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each figure."""
    accepted = record["accepted"]
    figures = [
        *(
            (f"{step['clients']} clients: 200s a second", step["per_s"])
            for step in record["capacity"]
        ),
        ("as many afterwards", record["capacity_after_per_s"]),
        ("peak: 200s a second", record["peak_per_s"]),
        ("the generator could offer", record["generator_limit_per_s"]),
        ("offered a second", record["offered_per_s"]),
        ("goodput: 200s a second", record["goodput_per_s"]),
        *((f"answered {name}: %", 100 * share) for name, share in record["shares"].items()),
        ("accepted: p50 ms", accepted["p50_ms"]),
        ("accepted: p99 ms", accepted["p99_ms"]),
        ("GET /health: slowest ms", record["health"]["slowest_ms"]),
    ]
    return ["", "found"], [
        [name, "-" if value is None else f"{value:.1f}"] for name, value in figures
    ]


async def overflow(
    client: Client, prober: Client, requests: Iterator[Request], per_s: float, seconds: float
) -> Flood:
    """Offer so many requests a second for so long, and wait for all answers.

    Args:
        prober: the one that asks `GET /health`.
    """
    begun, cpu_s = asyncio.get_running_loop().time(), time.process_time()
    probes = iter(lambda: get("/health"), None)
    answers, health = await asyncio.gather(
        open_loop(client, requests, poisson(per_s, seconds)),
        open_loop(prober, probes, every(HEALTH_PERIOD_S, seconds)),
    )
    return Flood(answers, health, begun, seconds, time.process_time() - cpu_s)


async def _find_capacity(
    client: Client, requests: Iterator[Request], seconds: float
) -> list[dict[str, float]]:
    """200s a second with ever more clients, until more do not help."""
    steps: list[dict[str, float]] = []
    clients, best = FEWEST_CLIENTS, 0.0
    while clients <= MOST_CLIENTS:
        found = await _rate_of(client, requests, clients, seconds)
        steps.append({"clients": clients, "per_s": found})
        if clients >= MANY_CLIENTS and found < GAIN * best:
            break
        clients, best = 2 * clients, max(best, found)
    return steps


async def _rate_of(
    client: Client, requests: Iterator[Request], clients: int, seconds: float
) -> float:
    clock = asyncio.get_running_loop().time
    await client.open(clients)
    begun = clock()
    answers = await closed_loop(client, requests, clients, wanted=lambda: clock() < begun + seconds)
    return rate(answers, begun, seconds)
