"""What a request costs on a server with one client and with many, beside the library itself.

Knows a server that is ready, and the library in as many processes as the server has model workers.
All take turns, on distinct sentences.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.benchmarks.figures import bar, generator_of, milliseconds, outcomes, rate
from scripts.benchmarks.library import Library
from scripts.benchmarks.load import Answer, Client, closed_loop
from scripts.benchmarks.sentences import Pair
from scripts.benchmarks.timing import compare, spread, take_turns

LONE_CALLS = 20
"""Lone requests in a round."""
PROMISED = 0.7
"""Of the library's rate, with the most clients that are measured."""


@dataclass(frozen=True)
class Sides:
    """What takes turns, and what about."""

    url: str
    library: Library
    pair: Pair
    sentences: Iterator[str]

    def take(self, count: int) -> list[str]:
        """Sentences that nobody has been asked for yet."""
        return list(itertools.islice(self.sentences, count))


@dataclass(frozen=True)
class Effort:
    """How much to measure."""

    clients: Sequence[int]
    """Numbers of clients."""
    seconds: float
    """That each number of clients asks in a round."""
    sentences: int
    """That the library translates in a round."""
    concurrent: int
    """Requests sent in turn, then at once."""
    rounds: int


def measure_service(sides: Sides, effort: Effort) -> dict[str, Any]:
    """Latency and rate by number of clients, and what a lone request costs beside the library."""
    most = max(*effort.clients, effort.concurrent)
    _ask_all(sides, sides.take(most), most)
    sides.library.translate(sides.take(most))
    record: dict[str, Any] = {"requests": effort.concurrent, "rounds": effort.rounds}
    record |= _measure_company(sides, effort.concurrent, effort.rounds)
    record |= _measure_lone(sides, LONE_CALLS * effort.rounds)
    return record | _measure_rates(sides, effort)


def service_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each number of clients and two for the library."""
    header = ["", "p50 ms", "p99 ms", "sentences/s", "low", "high", "to the library"]
    rows = []
    for row in record["clients"]:
        latencies = [_or_dash(row[f"p{percent}_ms"]) for percent in (50, 99)]
        name = f"{row['clients']} client{'s' * (row['clients'] > 1)}"
        rows.append([name, *latencies, *_rates(row["per_s"]), f"{row['to_library']:.2f}"])
    rows.append(["library, a batch", "-", "-", *_rates(record["library_per_s"]), "1.00"])
    rows.append(["library, one sentence", _or_dash(record["library_call_ms"]), *["-"] * 5])
    return header, rows


def _rates(found: dict[str, float]) -> list[str]:
    return [f"{found[name]:.1f}" for name in ("median", "low", "high")]


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _measure_company(sides: Sides, count: int, rounds: int) -> dict[str, float]:
    in_turn, at_once = compare(
        lambda: _ask_all(sides, sides.take(count), 1),
        lambda: _ask_all(sides, sides.take(count), count),
        rounds=rounds,
    )
    return {
        "in_turn_s": round(in_turn, 3),
        "at_once_s": round(at_once, 3),
        "at_once_to_in_turn": round(at_once / in_turn, 3),
    }


def _ask_all(sides: Sides, texts: Sequence[str], clients: int) -> None:
    async def ask() -> None:
        async with Client(sides.url) as client:
            await closed_loop(client, map(sides.pair.request, texts), clients)

    asyncio.run(ask())


def _measure_lone(sides: Sides, count: int) -> dict[str, float]:
    async def take_turns() -> tuple[list[float], list[float]]:
        requests, calls = [], []
        async with Client(sides.url) as client:
            for text in sides.take(count):
                requests.append((await client.ask(sides.pair.request(text))).seconds)
                calls.append(sides.library.translate([text]))
        return requests, calls

    request, call = map(statistics.median, asyncio.run(take_turns()))
    return {
        "lone_request_ms": round(1000 * request, 2),
        "library_call_ms": round(1000 * call, 2),
        "service_costs_ms": round(1000 * (request - call), 2),
    }


def _measure_rates(sides: Sides, effort: Effort) -> dict[str, Any]:
    def library() -> float:
        texts = sides.take(effort.sentences)
        return len(texts) / sides.library.translate(texts)

    crowds = {clients: _Crowd(sides, clients, effort.seconds) for clients in effort.clients}
    measures = {0: library} | {clients: crowd.measure for clients, crowd in crowds.items()}
    rates = take_turns(measures, rounds=effort.rounds)
    rows = [crowd.row(rates[clients], rates[0]) for clients, crowd in crowds.items()]
    last = max(rows, key=lambda row: int(row["clients"]))
    return {
        "library_per_s": spread(rates[0]),
        "clients": rows,
        "generator": max((row["generator"] for row in rows), key=lambda each: each["core"]),
        "bars": [
            bar(
                f"{last['clients']} clients: requests a second >= {PROMISED:.0%} of the library's",
                f"{last['to_library']:.0%}",
                last["to_library"] >= PROMISED,
            )
        ],
    }


class _Crowd:
    """So many clients, in every round."""

    def __init__(self, sides: Sides, clients: int, seconds: float) -> None:
        self._sides, self._clients, self._seconds = sides, clients, seconds
        self._answers: list[Answer] = []
        self._cpu_s = 0.0

    def measure(self) -> float:
        """Requests a second in one round."""
        started = time.process_time()
        found = asyncio.run(self._ask())
        self._cpu_s += time.process_time() - started
        return found

    def row(self, rates: Sequence[float], library: Sequence[float]) -> dict[str, Any]:
        """What came of it in all rounds; rates are compared within a round."""
        return {
            "clients": self._clients,
            **milliseconds(self._answers),
            "per_s": spread(rates),
            "to_library": statistics.median(
                mine / its for mine, its in zip(rates, library, strict=True)
            ),
            "outcomes": outcomes(self._answers),
            "generator": generator_of(self._answers, self._cpu_s, self._seconds * len(rates)),
        }

    async def _ask(self) -> float:
        clock = asyncio.get_running_loop().time
        async with Client(self._sides.url) as client:
            await client.open(self._clients)
            begun = clock()
            answers = await closed_loop(
                client,
                map(self._sides.pair.request, self._sides.sentences),
                self._clients,
                wanted=lambda: clock() < begun + self._seconds,
            )
        self._answers += answers
        return rate(answers, begun, self._seconds)
