"""The training text as each epoch sees it: short first, words cut anew or missing, pairs joined.

Behind the pairs may stand copies of some with other numbers (`mt.corpus.numbers`).

Knows tokenised pairs and random draws. Does not know batches or models. What an epoch sees is a
function of (corpus, seed, epoch) alone, so a resumed run sees it again.

An epoch without options is the corpus itself, mapped from its files. One with them is made anew, in
memory: 4 bytes a piece and 16 a pair. Sampling takes a thread about twice as long as tokenising did
for BPE, about 17 times for a unigram model (15 and 65 microseconds a sentence of 12 pieces).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from mt.config import DataConfig
from mt.corpus import Corpus, Sentences
from mt.corpus.noise import noisy
from mt.corpus.numbers import has_shared_numbers, with_other_numbers
from mt.errors import CorpusError
from mt.tokenizer import Tokenizer, TokenizerPair

BLOCK = 1 << 13
"""Pairs sampled in one go, each lot with draws of its own: its pieces lie in memory as lists."""


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
        if self.config.numbers_share:
            corpus = self._with_numbers(corpus, (self.seed, number))
        if self.config.noise_drop or self.config.noise_shuffle:
            corpus = _disturb(corpus, self.tokenizers.source, self.config, (self.seed, number))
        if number < self.config.curriculum_epochs:
            corpus = _shortest(corpus, (number + 1) / (self.config.curriculum_epochs + 1))
        if self.config.joined_share:
            corpus = _join(corpus, self.config, (self.seed, number))
        # The texts are those of the pairs as they were.
        return corpus if corpus is self.corpus else replace(corpus, texts=None)

    def _with_numbers(self, corpus: Corpus, seed: tuple[int, int]) -> Corpus:
        """The pairs, and behind them copies of some with other numbers."""
        assert self.corpus.texts is not None, "prepare keeps the texts where numbers are drawn"
        sources, targets = self.corpus.texts
        random = np.random.default_rng((*seed, 5))
        count = max(1, round(self.config.numbers_share * len(corpus)))
        pairs = [
            with_other_numbers(sources[number], targets[number], random)
            for number in random.choice(self._numbered, count).tolist()
        ]
        alpha = self.config.subword_sampling
        source, target = (
            Sentences.joined([side, _pieces(texts, tokenizer, alpha, (*seed, draws))])
            for side, texts, tokenizer, draws in zip(
                (corpus.source, corpus.target),
                zip(*pairs, strict=True),
                self.tokenizers,
                (6, 7),
                strict=True,
            )
        )
        return replace(corpus, source=source, target=target)

    @cached_property
    def _numbered(self) -> NDArray[np.int64]:
        """Which pairs have numbers that can be replaced.

        Raises:
            CorpusError: none has.
        """
        texts = self.corpus.texts
        assert texts is not None
        found = np.flatnonzero(list(starmap(has_shared_numbers, zip(*texts, strict=True))))
        if not len(found):
            raise CorpusError(
                f"data.numbers_share = {self.config.numbers_share}: no training pair has the same "
                "numbers on both sides"
            )
        return found


def _sample(
    corpus: Corpus, tokenizers: TokenizerPair, config: DataConfig, seed: tuple[int, int]
) -> Corpus:
    assert corpus.texts is not None, "prepare keeps the texts where subwords are sampled"
    alpha = config.subword_sampling
    # The draws of (seed, epoch) order its batches, those of (seed, epoch, 1) join pairs, those of
    # (seed, epoch, 4, ...) disturb sources, those of 5, 6 and 7 make other numbers.
    source, target = (
        _pieces(texts, tokenizer, alpha, (*seed, draws))
        for tokenizer, texts, draws in zip(tokenizers, corpus.texts, (2, 3), strict=True)
    )
    return replace(corpus, source=source, target=target)


def _pieces(
    texts: Sequence[str], tokenizer: Tokenizer, alpha: float, seed: tuple[int, ...]
) -> Sentences:
    return Sentences.joined(
        [
            Sentences.of(
                tokenizer.sample(texts[start : start + BLOCK], alpha, seed=(*seed, start))
                if alpha
                else tokenizer.encode(texts[start : start + BLOCK])
            )
            for start in range(0, len(texts), BLOCK)
        ]
    )


def _disturb(
    corpus: Corpus, tokenizer: Tokenizer, config: DataConfig, seed: tuple[int, int]
) -> Corpus:
    begins_word, source = tokenizer.begins_word, corpus.source
    parts = [
        noisy(
            Sentences(source.ids, source.starts[start : start + BLOCK + 1]),
            begins_word,
            drop=config.noise_drop,
            shuffle=config.noise_shuffle,
            random=np.random.default_rng((*seed, 4, start)),
        )
        for start in range(0, len(source), BLOCK)
    ]
    return replace(corpus, source=Sentences.joined(parts))


def _shortest(corpus: Corpus, share: float) -> Corpus:
    """That share of the pairs, shortest sources first; pairs of one length stay together."""
    lengths = corpus.source.lengths
    limit = np.quantile(lengths, share, method="higher")
    chosen = np.flatnonzero(lengths <= limit)
    return replace(corpus, source=corpus.source.take(chosen), target=corpus.target.take(chosen))


def _join(corpus: Corpus, config: DataConfig, seed: tuple[int, int]) -> Corpus:
    random = np.random.default_rng((*seed, 1))
    order = random.permutation(len(corpus))
    count = round(config.joined_share * len(corpus))
    lengths = np.maximum(corpus.source.lengths, corpus.target.lengths)[order[:count]]
    joined = list(_group_starts(lengths, config.max_pieces, random))
    starts = np.concatenate((joined, np.arange(count, len(corpus) + 1))).astype(np.int64)
    return replace(
        corpus,
        source=_concatenated(corpus.source.take(order), starts),
        target=_concatenated(corpus.target.take(order), starts),
    )


def _group_starts(
    lengths: NDArray[np.int32], most: int, random: np.random.Generator
) -> Iterator[int]:
    """Where groups of neighbours start, each as long as neither side passes a limit drawn for it.

    Args:
        lengths: the longer side of each pair.
        most: bound on the limits.
    """
    total, limit = 0, -1
    for number, length in enumerate(lengths.tolist()):
        if total + length > limit:
            yield number
            total, limit = 0, int(random.integers(2, most + 1))
        total += length


def _concatenated(side: Sentences, starts: NDArray[np.int64]) -> Sentences:
    """Neighbouring sentences as one; group n is made of those from starts[n] to starts[n + 1]."""
    # Pieces of "A B" are the pieces of "A" and of "B": a piece never crosses a space.
    return Sentences(side.ids, side.starts[starts])
