"""The training text as each epoch sees it: words cut anew, short pairs joined to long ones.

Knows tokenised pairs and random draws. Does not know batches or models. What an epoch sees is a
function of (corpus, seed, epoch) alone, so a resumed run sees it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mt.config import DataConfig
from mt.corpus import Corpus, Sentences
from mt.tokenizer import TokenizerPair


@dataclass(frozen=True)
class Augmented:
    """Training pairs that may look different in every epoch."""

    corpus: Corpus
    tokenizers: TokenizerPair
    config: DataConfig
    seed: int

    def epoch(self, number: int) -> Corpus:
        """The pairs of an epoch, counted from 0; always the same for the same number."""
        corpus = self.corpus
        if self.config.subword_sampling:
            corpus = _sample(corpus, self.tokenizers, self.config, (self.seed, number))
        if self.config.joined_share:
            corpus = _join(corpus, self.config, (self.seed, number))
        return corpus


def _sample(
    corpus: Corpus, tokenizers: TokenizerPair, config: DataConfig, seed: tuple[int, int]
) -> Corpus:
    assert corpus.texts is not None, "prepare keeps the texts where subwords are sampled"
    # One number from two, below the 32 bits that SentencePiece takes.
    drawn = int(np.random.default_rng(seed).integers(2**31))
    source, target = (
        Sentences.of(tokenizer.sample(texts, config.subword_sampling, seed=drawn))
        for tokenizer, texts in zip(tokenizers, corpus.texts, strict=True)
    )
    return replace(corpus, source=source, target=target)


def _join(corpus: Corpus, config: DataConfig, seed: tuple[int, int]) -> Corpus:
    random = np.random.default_rng((*seed, 1))
    order = random.permutation(len(corpus))
    count = round(config.joined_share * len(corpus))
    groups = list(_groups(corpus, order[:count].tolist(), config.max_pieces, random))
    groups += [[number] for number in order[count:].tolist()]
    return replace(
        corpus,
        source=_concatenated(corpus.source, groups),
        target=_concatenated(corpus.target, groups),
    )


def _groups(
    corpus: Corpus, numbers: Sequence[int], most: int, random: np.random.Generator
) -> Iterator[list[int]]:
    """Pairs one behind the other while neither side passes a limit, drawn for each group."""
    lengths = np.maximum(corpus.source.lengths, corpus.target.lengths).tolist()
    group: list[int] = []
    total = 0
    limit = random.integers(2, most + 1)
    for number in numbers:
        if group and total + lengths[number] > limit:
            yield group
            group, total, limit = [], 0, random.integers(2, most + 1)
        group.append(number)
        total += lengths[number]
    if group:
        yield group


def _concatenated(side: Sentences, groups: Sequence[Sequence[int]]) -> Sentences:
    # Pieces of "A B" are the pieces of "A" and of "B": a piece never crosses a space.
    ids = np.concatenate([side[number] for group in groups for number in group])
    lengths = [sum(len(side[number]) for number in group) for group in groups]
    return Sentences(ids, np.concatenate(([0], np.cumsum(lengths))))
