"""Whether a server's memory stays where it is over thousands of requests of every kind.

Knows a server that is ready and the id of its first process. What is asked for, how often, and
which statuses are right is known to `mixture`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from scripts.benchmarks.figures import bar, outcomes
from scripts.benchmarks.load import REFUSED, Answer, Client, Request, closed_loop
from scripts.benchmarks.mixture import ABANDONED, EXPECTED, HALF_SENT, LEFT, mixture
from scripts.benchmarks.sentences import Pair
from scripts.benchmarks.server import resident_bytes

MEGABYTE = 1e6
GROWTH_MB = 50.0
"""What memory may grow by."""
LOOKS = 10
"""Parts of the run; memory is looked at after each, when everything is answered."""
LEAVING_S = 0.05
"""Seconds after which the most patient of those leave that do not wait for their answer."""


async def measure_soak(
    url: str,
    pid: int,
    pair: Pair,
    sentences: Iterator[str],
    *,
    requests: int,
    warm_up: int,
    clients: int,
) -> dict[str, Any]:
    """Resident megabytes of all processes of a server before and after so many requests.

    Args:
        pid: of the server's first process.
        sentences: all different, without end.
        warm_up: requests before the first look.
    """
    resident, answers = [], []
    async with _Impatient(url) as client:
        html = await client.ask(pair.request(f"<p>{next(sentences)}</p>", format="html"))
        mixed = mixture(pair, sentences, html=html.outcome == "200")
        await closed_loop(client, islice(mixed, warm_up), clients)
        resident.append(resident_bytes(pid) / MEGABYTE)
        for part in range(LOOKS):
            count = requests * (part + 1) // LOOKS - requests * part // LOOKS
            answers += await closed_loop(client, islice(mixed, count), clients)
            resident.append(resident_bytes(pid) / MEGABYTE)
    return {"requests": requests, "warm_up": warm_up} | soak_record(answers, resident)


def soak_record(answers: Sequence[Answer], resident_mb: Sequence[float]) -> dict[str, Any]:
    """What the answers and the looks at memory come to, beside what was promised."""
    by_kind: dict[str, list[Answer]] = {}
    for answer in answers:
        by_kind.setdefault(answer.request.kind, []).append(answer)
    wrong = sum(answer.outcome not in EXPECTED[answer.request.kind] for answer in answers)
    growth = resident_mb[-1] - resident_mb[0]
    return {
        "resident_mb": list(resident_mb),
        "growth_mb": growth,
        "kinds": {kind: outcomes(by_kind[kind]) for kind in sorted(by_kind)},
        "unexpected": wrong,
        "bars": [
            bar(f"memory grows by < {GROWTH_MB:g} MB", f"{growth:.1f} MB", growth < GROWTH_MB),
            bar("every request is answered as its kind should be", f"{wrong} are not", not wrong),
        ],
    }


def soak_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each kind of request and one for each look at memory."""
    rows = [
        [kind, ", ".join(f"{count} x {outcome}" for outcome, count in found.items())]
        for kind, found in record["kinds"].items()
    ]
    rows += [
        [f"MB after {number * record['requests'] // LOOKS:,}", f"{found:.1f}"]
        for number, found in enumerate(record["resident_mb"])
    ]
    return ["", "found"], rows


class _Impatient(Client):
    """A client that leaves when the request's kind says so: sooner or later, or half way through
    the request."""

    _departures = 0

    async def ask(self, request: Request, due: float | None = None) -> Answer:
        if request.kind not in ABANDONED:
            return await super().ask(request, due)
        clock = asyncio.get_running_loop().time
        sent = clock()
        self._departures += 1
        half = len(request.data) // 2
        data = request.data[:half] if request.kind == HALF_SENT else request.data
        try:
            await self.abandon(data, LEAVING_S * (self._departures % LOOKS) / LOOKS)
        except OSError:
            return Answer(request, REFUSED, False, sent, sent, clock())
        return Answer(request, LEFT, False, sent, sent, clock())
