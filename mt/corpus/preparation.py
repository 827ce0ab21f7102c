"""Parallel text to tokenised pairs: looked over, tokenised, filtered, counted.

Knows the order of these steps, in memory for text that is there anyway, and through files for text
of any size. Does not know where text comes from, or what is done with the pairs.

Through files, what grows with the text are the bytes that `Survey.of` takes for each pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

import numpy as np

from mt.config import DataConfig
from mt.corpus.filters import FilterReport, PairFilter
from mt.corpus.sentences import Corpus, Sentences
from mt.corpus.storage import NewCorpusFolder
from mt.corpus.survey import Survey
from mt.corpus.text import HeldOut, Pairs, ParallelText
from mt.corpus.tokenising import Chunk, Encoded, encode, encode_all
from mt.errors import CorpusError
from mt.system.machine import cores
from mt.tokenizer import TokenizerPair

CHUNK = 10_000
"""Pairs tokenised in one go."""
ALONE = 100_000
"""Pairs up to which other processes take longer to start than they save."""

Tell: TypeAlias = Callable[[str, int, int | None], None]
"""Takes what is being done, the pairs it is done for, and all pairs if their number is known."""


def prepare(
    source: Sequence[str],
    target: Sequence[str],
    tokenizers: TokenizerPair,
    config: DataConfig,
) -> Corpus:
    """Filter and tokenise parallel text, all in memory.

    Raises:
        CorpusError: no pair passes the filters.
    """
    survey = Survey.of(zip(source, target, strict=True))
    stripped = [line.strip() for line in source], [line.strip() for line in target]
    passes = PairFilter(config)
    left, right, texts = _kept(
        Chunk(*stripped, survey.repeated), encode(*stripped, tokenizers), passes
    )
    report = _something(passes.report())
    return Corpus(left, right, report, texts if config.needs_text else None)


def prepare_files(
    text: ParallelText,
    survey: Survey,
    held_out: HeldOut,
    tokenizers: TokenizerPair,
    config: DataConfig,
    folder: NewCorpusFolder,
    *,
    workers: int | None = None,
    chunk: int = CHUNK,
    tell: Tell = lambda doing, done, total: None,
) -> FilterReport:
    """Filter and tokenise text of any size into a folder; the bytes do not depend on `workers`.

    Args:
        survey: of the same text.
        held_out: pairs that share a side with one of these do not train.
        workers: processes that tokenise; by default one a core, for small text none but this one.
        chunk: pairs tokenised in one go.

    Raises:
        CorpusError: no pair passes the filters, the text cannot be read or is not what it was, or
            a process has died.
    """
    if workers is None:
        workers = cores() if len(survey) > ALONE else 1
    passes = PairFilter(config)
    chunks = _chunks(text, survey, held_out, config.repeat, chunk)
    train, written = 0, 0
    for number, (part, encoded) in enumerate(encode_all(chunks, tokenizers, workers)):
        tell("tokenising", number * chunk, len(survey))
        kept = _kept(part, encoded, passes)
        folder.append(*kept)
        train += len(part.source)
        written += len(kept[0])
    tell("tokenising", len(survey), len(survey))
    excluded = int(survey.excluded.sum())
    report = passes.report(held_out=len(survey) - excluded - train, excluded=excluded)
    return replace(_something(report), copies=written - report.kept)


def sample_pairs(text: ParallelText, survey: Survey, held_out: HeldOut, count: int) -> Pairs:
    """At most count pairs of those neither excluded nor held out, evenly spread over a text.

    Args:
        survey: of the same text.

    Raises:
        CorpusError: the text cannot be read.
    """
    trains = ~survey.excluded
    if held_out.pairs[0]:
        for number, pair in zip(range(len(trains)), text, strict=False):
            trains[number] &= not held_out.has_side_of(*pair)
    ranks, total = np.cumsum(trains) - 1, int(trains.sum())
    # True for exactly count of those that train, at even distances.
    chosen = trains & (ranks * min(count, total) % max(1, total) < count)
    pairs: Pairs = ([], [])
    for wanted, pair in zip(chosen, text, strict=False):  # a text that grows is told later
        if wanted:
            pairs[0].append(pair[0])
            pairs[1].append(pair[1])
    return pairs


def _chunks(
    text: ParallelText,
    survey: Survey,
    held_out: HeldOut,
    repeat: Sequence[int] | None,
    size: int,
) -> Iterator[Chunk]:
    pairs = text.with_files()
    read = 0
    while block := list(islice(pairs, size)):
        here = slice(read, read + len(block))
        read += len(block)
        if read > len(survey):
            break
        repeated, excluded = survey.repeated[here], survey.excluded[here]
        rest = [
            number
            for number, (_, pair) in enumerate(block)
            if not excluded[number] and not held_out.has_side_of(*pair)
        ]
        source, target = ([block[n][1][side].strip() for n in rest] for side in (0, 1))
        times = None if repeat is None else np.array([repeat[block[n][0]] for n in rest], np.int64)
        yield Chunk(source, target, repeated[rest], times)
    if read != len(survey):
        raise CorpusError("the training text has changed while it was read")


def _kept(chunk: Chunk, encoded: Encoded, passes: PairFilter) -> tuple[Sentences, Sentences, Pairs]:
    """The pairs of a chunk that train, as often as they do, as ids and as text."""
    source, target = encoded
    kept = np.flatnonzero(passes(source.lengths, target.lengths, chunk.repeated))
    if chunk.times is not None:
        kept = np.repeat(kept, chunk.times[kept])
    numbers = kept.tolist()
    texts = [chunk.source[n] for n in numbers], [chunk.target[n] for n in numbers]
    return source.take(kept), target.take(kept), texts


def _something(report: FilterReport) -> FilterReport:
    if not report.kept:
        raise CorpusError(f"no pair is left: {report}")
    return report
