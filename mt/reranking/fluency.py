"""A language model as one more opinion on candidates: how good a sentence each is, by itself.

Knows language models and the form in which `mt.reranking.rescoring` asks for scores. Does not read
sources. It scores text, so its pieces need not be those of the model that translates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mt.language_model import LanguageModel, LineScore
from mt.likelihood import SCORED, PairScore
from mt.search import length_penalty


@dataclass(frozen=True)
class Fluency:
    """A language model as a `PairScorer` that takes no notice of sources."""

    model: LanguageModel
    alpha: float = 1.0
    """Of the length penalty that its scores are divided by, as those of other models."""

    @property
    def identity(self) -> str:
        """SHA-256 of its weights."""
        return self.model.identity

    @property
    def engine(self) -> str:
        """What does its arithmetic."""
        return self.model.engine

    def with_length_penalty(self, alpha: float) -> Fluency:
        """As of `PairScorer`."""
        return replace(self, alpha=alpha)

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[PairScore]:
        """How likely each target is; of a source only that it is there."""
        assert len(sources) == len(targets), (len(sources), len(targets))
        return [self._pair(found) for found in self.model.score(targets)]

    def _pair(self, found: LineScore) -> PairScore:
        if found.status != SCORED:
            return PairScore(found.status)
        penalty = length_penalty(len(found.pieces), self.alpha)
        return PairScore(
            SCORED, found.pieces, found.log_probabilities, found.log_probability / penalty
        )
