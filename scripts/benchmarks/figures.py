"""What many answers come to: rates, shares, percentiles; and the bars they are held to.

Knows answers of `load`. Does not know where they come from. Functions of numbers only, so that each
can be checked with a pencil.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from scripts.benchmarks.load import Answer
from scripts.benchmarks.timing import percentile

REFUSALS = ("429", "503")
LATE_S = 0.05
"""A generator whose requests leave later than this, one in a hundred, is itself the limit."""
BUSY = 0.9
"""So is one that computes for more than this share of the time."""

Bar = dict[str, Any]


def outcomes(answers: Sequence[Answer]) -> dict[str, int]:
    """How many had each outcome."""
    return dict(sorted(Counter(answer.outcome for answer in answers).items()))


def shares(answers: Sequence[Answer]) -> dict[str, float]:
    """The share of each outcome in all answers."""
    return {name: count / len(answers) for name, count in outcomes(answers).items()}


def milliseconds(answers: Sequence[Answer]) -> dict[str, float | None]:
    """Median and 99th percentile of the answers with status 200; None where there is none."""
    seconds = [answer.seconds for answer in answers if answer.outcome == "200"]
    return {
        f"p{percent}_ms": 1000 * percentile(seconds, percent / 100) if seconds else None
        for percent in (50, 99)
    }


def rate(answers: Sequence[Answer], begun: float, seconds: float) -> float:
    """Answers with status 200 that were there within so many seconds, a second."""
    good = [answer for answer in answers if answer.outcome == "200"]
    return sum(answer.done <= begun + seconds for answer in good) / seconds


def without_retry_after(answers: Sequence[Answer]) -> int:
    """Refusals that do not say when to come again."""
    return sum(answer.outcome in REFUSALS and not answer.retry_after for answer in answers)


def generator_of(answers: Sequence[Answer], cpu_s: float, seconds: float) -> dict[str, float]:
    """How the generator fared: how late its requests left, and how much of a core it took."""
    late = percentile([answer.sent - answer.due for answer in answers], 0.99)
    return {"late_p99_ms": 1000 * late, "core": cpu_s / seconds}


def generator_warning(generator: dict[str, float] | None) -> str | None:
    """What to say of a generator that was itself the limit; None if it was not, or if nobody
    looked."""
    if generator is None:
        return None
    late_ms, core = generator["late_p99_ms"], generator["core"]
    if late_ms <= 1000 * LATE_S and core <= BUSY:
        return None
    return (
        f"the load generator was the limit, or had no processor to itself: its requests left up to "
        f"{late_ms:.0f} ms late (p99), and it took {100 * core:.0f} % of a core"
    )


def bar(promise: str, found: str, held: bool) -> Bar:
    """Something promised, what was found, and whether that holds."""
    return {"bar": promise, "found": found, "held": held}


def bars_table(bars: Sequence[Bar]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each bar."""
    return ["bar", "found", "held"], [
        [each["bar"], each["found"], "yes" if each["held"] else "NO"] for each in bars
    ]
