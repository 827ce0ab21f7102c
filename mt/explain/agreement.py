"""Whether a language model makes words agree: the right form against the wrong one.

Knows choices (`mt.datasets.agreement`) and models that score lines. Does not know their cells
(`mt.explain.carriers`), or how a table is printed.

The measure is that of Linzen, Dupoux and Goldberg (2016, section 5, as for a language model): of
the two forms the right one has to be the more probable, having read all before it. Half of the
answers would be right by chance; `majority` says how many are by always taking the form that is
right more often. The interval is Wilson's (1927), which holds near 0 and 1 too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mt.datasets.agreement import Choice, Kind
from mt.language_model import LanguageModel, LineScore
from mt.likelihood import SCORED

NORMAL = 1.959964
"""The normal distribution's 97.5 % quantile."""


class Accuracy(NamedTuple):
    """How many choices of a case came out right."""

    kind: Kind
    case: str
    right: int
    total: int
    majority: float
    """Share that one form alone would get right."""
    unspelled: int = 0
    """Further choices with characters that the vocabulary has not; in none of the counts."""

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share."""
        return wilson(self.right, self.total)


def accuracies(model: LanguageModel, choices: Sequence[Choice]) -> list[Accuracy]:
    """Of each case that has a choice the model can spell, in the order of the choices."""
    preferred = preferences(model, choices)
    cases = dict.fromkeys((choice.kind, choice.case) for choice in choices)
    found = []
    for kind, case in cases:
        own = [
            (choice, preference)
            for choice, preference in zip(choices, preferred, strict=True)
            if (choice.kind, choice.case) == (kind, case)
        ]
        told = [(choice, preference) for choice, preference in own if preference is not None]
        if told:
            right = sum(preference > 0 for _, preference in told)
            second = sum(choice.second for choice, _ in told)
            majority = max(second, len(told) - second) / len(told)
            found.append(Accuracy(kind, case, right, len(told), majority, len(own) - len(told)))
    return found


def preferences(model: LanguageModel, choices: Sequence[Choice]) -> list[float | None]:
    """log P(right) - log P(wrong) of each, all before it given; None if the model cannot spell it.

    A word's probability is that of its pieces, whatever may follow them.
    """
    read = [len(ids) for ids in model.tokenizer.encode([choice.before for choice in choices])]
    right = model.score([f"{choice.before} {choice.right}" for choice in choices])
    wrong = model.score([f"{choice.before} {choice.wrong}" for choice in choices])
    return [
        _of_word(a, start) - _of_word(b, start) if a.status == b.status == SCORED else None
        for a, b, start in zip(right, wrong, read, strict=True)
    ]


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share that was found to be right / total (Wilson 1927)."""
    share, z2 = right / total, NORMAL**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = NORMAL * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return middle - half, middle + half


def _of_word(score: LineScore, start: int) -> float:
    """log P of the pieces from `start` on, the end token left out."""
    return sum(score.log_probabilities[start:-1])
