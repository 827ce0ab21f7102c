"""Shallow fusion: a language model that has a say in every step of a search for a translation.

Knows engines and what has to be alike for two to work together. Does not know what an engine is
made of.

The search looks for the best sum over the pieces y_t of a translation of x of

    log P(y_t | y_<t, x) + W log P_LM(y_t | y_<t)

(Gulcehre et al. 2015, On using monolingual corpora in neural machine translation, 4.1), the end of
the sentence counted. The sums are not made to be probabilities again: what the language model finds
unlikely at every turn costs a whole hypothesis.

Shapes: N rows (hypotheses), V pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.engine.interface import Engine
from mt.errors import BundleError
from mt.search import Integers, LogProbabilities
from mt.tokenizer import RightToLeft, Tokenizer


class FusionState(NamedTuple):
    """What the two remember of the same rows."""

    translation: Any
    language: Any

    def select(self, rows: Integers) -> FusionState:
        """The state of these rows, in this order."""
        return FusionState(self.translation.select(rows), self.language.select(rows))


class FusionEngine:
    """An engine that adds to what it says what a language model says of the same pieces."""

    def __init__(
        self, engine: Engine[Any], language: Engine[Any], weight: float, *, identity: str
    ) -> None:
        """
        Args:
            engine: reads sources.
            language: a language model's, which reads none; their target vocabulary is one.
            weight: W, above 0.
            identity: SHA-256 of the language model's weights, for the name that records have.
        """
        assert weight > 0, weight
        self.begin, self.end = engine.begin, engine.end
        self.name = f"{engine.name} + {weight:g} {language.name} language model {identity[:12]}"
        self._engine, self._language, self._weight = engine, language, weight

    @property
    def environment(self) -> Mapping[str, Any]:
        """As `Engine.environment`."""
        return {**self._language.environment, **self._engine.environment}

    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> FusionState:
        """As `Engine.start`; what a shortlist leaves out the language model cannot bring back."""
        return FusionState(
            self._engine.start(sources, shortlist=shortlist),
            self._language.start([()] * len(sources)),
        )

    def step(self, previous: Integers, state: FusionState) -> tuple[LogProbabilities, FusionState]:
        """As `Scorer.step`, but that the values of a row are sums, not log-probabilities."""
        values, translation = self._engine.step(previous, state.translation)
        opinions, language = self._language.step(previous, state.language)
        summed: NDArray[Any] = values + self._weight * opinions
        return summed, FusionState(translation, language)


def check_fits(name: str, bundle: Bundle, tokenizer: Tokenizer, language: str) -> None:
    """Refuse a language model that cannot take part in a search.

    Args:
        name: of its folder, for the message.
        tokenizer: what the translations are written with.
        language: which they are in.

    Raises:
        BundleError: it is no language model, of another language or of other pieces, or the
            translations are written from their end.
    """
    config = bundle.config
    if config.task != "continue":
        raise BundleError(f"{name} is no language model: its task is {config.task!r}")
    if config.target_language != language:
        raise BundleError(
            f"{name} is a language model of {config.target_language!r}; the translations are in "
            f"{language!r}"
        )
    if isinstance(tokenizer, RightToLeft):
        raise BundleError(f"{name} cannot take part: the model writes from right to left")
    if bundle.tokenizers.target.content != tokenizer.content:
        raise BundleError(
            f"{name} has another tokenizer than the translations: train it with tokenizers_from "
            "the model's folder, or rescore with it"
        )
