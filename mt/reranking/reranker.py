"""Candidates from search and from draws, and which of them is chosen, as the options say.

Knows `RerankConfig`, how candidates are made (`mt.decoding`) and the two ways to choose among them.
Does not know documents: a source is the token ids of one sequence. Models are asked about texts,
since another model may have other pieces; unknown characters of a source are no part of its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mt.config import RerankConfig, SearchConfig
from mt.decoding import SearchTask, decode
from mt.engine.interface import Engine
from mt.errors import ConfigError
from mt.reranking.rescoring import PairScorer, Rescored, rescore, weights_of
from mt.reranking.risk import least_risk
from mt.search import Hypothesis
from mt.tokenizer import TokenizerPair


@dataclass(frozen=True)
class Reranker:
    """Chooses among a model's candidates. Holds the other models that have a say in it."""

    config: RerankConfig
    reverse: PairScorer | None = None
    right_to_left: PairScorer | None = None
    language: PairScorer | None = None

    def under(self, config: SearchConfig) -> Reranker:
        """The same for other decoding options, whose length penalty all models then share.

        Raises:
            ConfigError: translations are drawn, which leaves nothing to choose among.
        """
        if config.temperature:
            raise ConfigError(
                f"temperature = {config.temperature:g} draws the translation: there is nothing to "
                "choose among; minimum Bayes risk has mbr_temperature for its draws"
            )

        alpha = config.length_penalty
        return Reranker(
            self.config,
            self.reverse and self.reverse.with_length_penalty(alpha),
            self.right_to_left and self.right_to_left.with_length_penalty(alpha),
            self.language and self.language.with_length_penalty(alpha),
        )

    def record(self) -> dict[str, Any]:
        """All that decides the choice, as JSON has it: options, and the models by their weights."""
        models = {"reverse_model": self.reverse, "right_to_left_model": self.right_to_left}
        unused = {"language_model", "language_weight"}
        if self.language is not None:
            # Else left out, so that jobs begun before there was one go on.
            models, unused = models | {"language_model": self.language}, set()
        return self.config.model_dump(mode="json", exclude=models.keys() | unused) | {
            name: None if model is None else {"identity": model.identity, "engine": model.engine}
            for name, model in models.items()
        }

    def decode(
        self,
        engine: Engine[Any],
        tokenizers: TokenizerPair,
        config: SearchConfig,
        tasks: Sequence[SearchTask],
        *,
        n_best: int = 1,
    ) -> list[list[Hypothesis]]:
        """Up to n_best hypotheses for each task, best first, as `mt.decoding.decode`.

        Raises:
            ConfigError: n_best is more than there are candidates.
        """
        most = config.beam_size
        if self.config.chooses_by_risk:
            most = self.config.mbr_samples + self.config.mbr_beam * config.beam_size
        if n_best > most:
            raise ConfigError(
                f"{n_best - 1} alternatives are more than {most} candidates can hold: at most "
                f"{most - 1}"
            )
        if self.config.chooses_by_risk:
            ranked = self._least_risk(engine, tokenizers, config, tasks)
        else:
            rescored = self.rescore(engine, tokenizers, config, tasks)
            ranked = [each.ranked(weights_of(self.config)) for each in rescored]
        return [each[:n_best] for each in ranked]

    def rescore(
        self,
        engine: Engine[Any],
        tokenizers: TokenizerPair,
        config: SearchConfig,
        tasks: Sequence[SearchTask],
    ) -> list[Rescored]:
        """The hypotheses of a whole beam for each task, with what the models say of them."""
        found = decode(engine, tasks, config, n_best=config.beam_size)
        return rescore(
            found,
            tokenizers.source.decode([task.source for task in tasks]),
            [_texts(tokenizers, each) for each in found],
            self.reverse,
            self.right_to_left,
            self.language,
        )

    def _least_risk(
        self,
        engine: Engine[Any],
        tokenizers: TokenizerPair,
        config: SearchConfig,
        tasks: Sequence[SearchTask],
    ) -> list[list[Hypothesis]]:
        found: list[list[Hypothesis]] = [[] for _ in tasks]
        samples = self.config.mbr_samples
        drawn = config.model_copy(update={"temperature": self.config.mbr_temperature})
        asked = [(config, config.beam_size)] if self.config.mbr_beam else []
        for options, count in [*asked, *([(drawn, samples)] if samples else [])]:
            more = decode(engine, tasks, options, n_best=count)
            for candidates, hypotheses in zip(found, more, strict=True):
                candidates += hypotheses
        return [least_risk(each, _texts(tokenizers, each), self.config) for each in found]


def _texts(tokenizers: TokenizerPair, hypotheses: Sequence[Hypothesis]) -> list[str]:
    return tokenizers.target.decode([hypothesis.tokens for hypothesis in hypotheses])
