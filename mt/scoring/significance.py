"""Whether two systems differ by more than chance: paired tests, by sacreBLEU.

Knows finished translations of the same text by several systems. Does not know models.

A test asks how often a difference as large as the one found would come up if the two systems
were equally good. It speaks for this test text only, and for each pair by itself: among twenty
equal systems one is expected at p < 0.05.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sacrebleu.significance import PairedTest

from mt.config import Words
from mt.scoring.metrics import metrics

Test = Literal["randomization", "bootstrap"]

TRIALS: dict[Test, int] = {"randomization": 10_000, "bootstrap": 1000}
"""Swapped or resampled test texts behind a p-value."""


class Difference(NamedTuple):
    """One metric's answer on one system and the first."""

    value: float
    """Score of the system minus that of the first."""
    p: float
    """p-value of that difference, two-sided."""
    signature: str
    """sacreBLEU's account of metric and test: "ar" or "bs" counts the trials, "seed" is theirs."""


def compare(
    first: Sequence[str],
    others: Sequence[Sequence[str]],
    *references: Sequence[str],
    test: Test = "randomization",
    words: Words = "13a",
) -> list[dict[str, Difference]]:
    """How each other system differs from the first, by the names of `mt.scoring.metrics`.

    Args:
        first: translations of the system the others are compared with.
        others: translations of each other system, line by line of the same source.
        references: one or more reference translations.
        test: "randomization" swaps lines between the two systems (approximate randomization;
            Riezler and Maxwell 2005), "bootstrap" draws lines with replacement (Koehn 2004). The
            first takes fewer chance differences for real ones. The seed is 12345, or
            `SACREBLEU_SEED`.
        words: what BLEU counts.
    """
    assert references
    assert all(len(text) == len(first) > 0 for text in (*others, *references))
    found: list[dict[str, Difference]] = [{} for _ in others]
    for name, metric in metrics(words).items():
        differences = _differences(metric, [first, *others], references, test)
        for system, other, difference in zip(found, others, differences, strict=True):
            least = _least_p(first, other, lowercase=metric.lowercase)
            p = 1.0 if difference.value == 0 else max(difference.p, least)
            system[name] = difference._replace(p=p)
    return found


def _differences(
    metric: Any,
    systems: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    test: Test,
) -> list[Difference]:
    paired = PairedTest(
        [(str(number), list(system)) for number, system in enumerate(systems)],
        {"metric": metric},
        [list(reference) for reference in references],
        test_type={"randomization": "ar", "bootstrap": "bs"}[test],
        n_samples=TRIALS[test],
    )
    signatures, results = paired()
    ((name, signature),) = signatures.items()
    scores: list[Any] = list(results[name])
    return [
        Difference(float(other.score - scores[0].score), float(other.p_value), str(signature))
        for other in scores[1:]
    ]


def _least_p(first: Sequence[str], other: Sequence[str], *, lowercase: bool) -> float:
    """The smallest p-value that the lines in which two systems differ can bear.

    k such lines can be swapped in 2 ** k ways, two of which, none and all, give the difference
    found. sacreBLEU counts only those that give a larger one, so that without this bound a system
    would differ significantly from itself.
    """
    as_seen = str.lower if lowercase else str
    differing = sum(
        as_seen(ours) != as_seen(theirs) for ours, theirs in zip(first, other, strict=True)
    )
    return min(1.0, 2.0 ** (1 - differing))
