"""Several models as one scorer: an ensemble.

Knows engines and what has to be alike for them to work together. Does not know what an engine is
made of.

The log-probability of a token is the mean of those that the M models give it, which is the log of
the geometric mean of their probabilities, made to sum to 1 again:

    log P(w) = 1/M sum_m log P_m(w) - log sum_v exp(1/M sum_m log P_m(v))

a product of experts (Hinton 2002), each to the power of 1 / M. A single model that finds a token
very unlikely can veto it, as it could not in a mean of probabilities. Ensembles of LSTMs for
translation: Sutskever et al. 2014, 3.6.

Shapes: N rows (hypotheses), V pieces, M models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.engine.interface import Engine
from mt.errors import BundleError
from mt.search import LogProbabilities
from mt.system.files import sha256


class EnsembleState(NamedTuple):
    """What every model remembers of the same rows."""

    members: tuple[Any, ...]

    def select(self, rows: NDArray[np.int64]) -> EnsembleState:
        """The state of these rows, in this order."""
        return EnsembleState(tuple(member.select(rows) for member in self.members))


class EnsembleEngine:
    """An engine that asks several engines and averages what they say."""

    def __init__(self, members: Sequence[Engine[Any]]) -> None:
        """The members share their vocabularies; their order decides no more than rounding."""
        assert members, "an ensemble has at least one member"
        self.begin, self.end = members[0].begin, members[0].end
        self.name = f"ensemble of {' + '.join(member.name for member in members)}"
        self._members = tuple(members)

    @property
    def environment(self) -> Mapping[str, Any]:
        """As `Engine.environment`."""
        return {
            name: value for member in self._members for name, value in member.environment.items()
        }

    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> EnsembleState:
        """As `Engine.start`; a token is written only if all members may."""
        return EnsembleState(
            tuple(member.start(sources, shortlist=shortlist) for member in self._members)
        )

    def step(
        self, previous: NDArray[np.int64], state: EnsembleState
    ) -> tuple[LogProbabilities, EnsembleState]:
        """As `Scorer.step`."""
        steps = [
            member.step(previous, its_state)
            for member, its_state in zip(self._members, state.members, strict=True)
        ]
        mean: LogProbabilities = np.stack([values for values, _ in steps]).mean(axis=0)
        return _normalised(mean), EnsembleState(tuple(after for _, after in steps))


def check_alike(names: Sequence[str], bundles: Sequence[Bundle]) -> None:
    """Refuse bundles that cannot be an ensemble; `names` are for the message.

    Raises:
        BundleError: two differ in task, segmentation, a language, the content of a tokenizer or the
            target's order.
    """
    first, *others = zip(names, map(_must_agree, bundles), strict=True)
    for name, theirs in others:
        for what, ours in first[1].items():
            if theirs[what] != ours:
                raise BundleError(
                    f"{first[0]} and {name} cannot be an ensemble: they differ in their {what}, "
                    f"{ours} and {theirs[what]}"
                )


def joint_identity(identities: Sequence[str]) -> str:
    """SHA-256 of the members' own identities, in their order; empty if all of theirs are."""
    return sha256("".join(identities).encode()) if any(identities) else ""


def _must_agree(bundle: Bundle) -> dict[str, str]:
    source, target = bundle.tokenizers
    return {
        "task": bundle.config.task,
        "segmentation": bundle.config.segmentation,
        "source language": bundle.config.source_language,
        "target language": bundle.config.target_language,
        "source tokenizer": f"SHA-256 {sha256(source.content)[:12]}",
        "target tokenizer": f"SHA-256 {sha256(target.content)[:12]}",
        "target order": "right to left" if bundle.config.model.reverse_target else "left to right",
    }


def _normalised(scores: LogProbabilities) -> LogProbabilities:
    """[N, V] with the exponentials of each row summing to 1; not all of a row is -inf."""
    below = scores - scores.max(axis=1, keepdims=True)
    normalised: LogProbabilities = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return normalised
