"""Parallel text: read, filtered and counted, tokenised, cut into batches of similar length.

Knows files, pairs and token budgets. Does not know models. Nothing is left out unseen: every
pair that is not trained on is counted under a reason in `FilterReport`.

The order of batches is a function of (seed, epoch) alone, so a run continues anywhere.

Shapes: B sentences of a batch, S longest source, T longest target with its end token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mt.config import DataConfig
from mt.errors import CorpusError, InputError
from mt.streams import open_lines
from mt.tokenizer import TokenizerPair
from mt.tokens import BEGIN, END, PAD


def read_lines(path: Path) -> list[str]:
    r"""The lines of a UTF-8 text file, plain, .gz or .xz; a line ends at "\n" only.

    Raises:
        CorpusError: the file is missing or damaged, or a line is not UTF-8.
    """
    try:
        with open_lines(path) as lines:
            return [line.removesuffix("\n") for line in lines]
    except InputError as error:
        raise CorpusError(str(error)) from error
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror or error}") from error


Pairs: TypeAlias = tuple[list[str], list[str]]
"""Parallel text: source lines, and their translations in the same order."""


def read_pairs(sources: Sequence[Path], targets: Sequence[Path]) -> Pairs:
    """The two sides of parallel text, each the lines of its files in order.

    Raises:
        CorpusError: a file cannot be read, two that belong together differ in length, or there
            is no line at all.
    """
    source: list[str] = []
    target: list[str] = []
    for source_path, target_path in zip(sources, targets, strict=True):
        left, right = read_lines(source_path), read_lines(target_path)
        if len(left) != len(right):
            raise CorpusError(
                f"{source_path} has {len(left)} lines and {target_path} {len(right)}: "
                f"line {min(len(left), len(right)) + 1} has no counterpart"
            )
        source += left
        target += right
    if not source:
        raise CorpusError(f"{', '.join(map(str, sources))}: no lines")
    return source, target


def hold_out(source: Sequence[str], target: Sequence[str], count: int) -> tuple[Pairs, Pairs]:
    """Part pairs into training and validation text, which share no side of any pair.

    Args:
        count: pairs to hold out, evenly spread, at most a tenth of all; none of them is blank.

    Raises:
        CorpusError: there are too few pairs.
    """
    whole = [
        n for n, pair in enumerate(zip(source, target, strict=True)) if all(map(str.strip, pair))
    ]
    count = min(count, len(whole) // 10)
    if count == 0:
        raise CorpusError(
            f"{len(whole)} pairs are too few to hold some out for validation: 10 are the least"
        )
    held = [whole[number * len(whole) // count] for number in range(count)]
    seen_source = {source[number].strip() for number in held}
    seen_target = {target[number].strip() for number in held}
    rest = [
        number
        for number in range(len(source))
        if source[number].strip() not in seen_source and target[number].strip() not in seen_target
    ]
    return _chosen(source, target, rest), _chosen(source, target, held)


@dataclass(frozen=True)
class FilterReport:
    """Where every pair went; the counts add up to `read`."""

    read: int
    kept: int
    empty: int
    """A side is blank."""
    duplicate: int
    """Both sides equal an earlier kept pair's."""
    too_long: int
    """A side has more pieces than data.max_pieces."""
    uneven: int
    """The sides differ more than data.max_length_ratio allows."""
    held_out: int = 0
    """Kept for validation, or shares a side with such a pair (data.held_out_pairs)."""

    def __str__(self) -> str:
        counts = asdict(self).items()
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts)


class Sentences(NamedTuple):
    """Token ids of many sentences, one after the other in one array."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    """[sentences + 1]; sentence n is ids[starts[n]:starts[n + 1]]."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Sentences:
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        starts = np.concatenate(([0], np.cumsum(lengths)))
        ids = np.fromiter((piece for row in rows for piece in row), np.int32, int(starts[-1]))
        return cls(ids, starts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    def __getitem__(self, number: int) -> NDArray[np.int32]:  # type: ignore[override]
        return self.ids[self.starts[number] : self.starts[number + 1]]


@dataclass(frozen=True)
class Corpus:
    """Tokenised pairs ready for batching."""

    source: Sentences
    target: Sentences
    report: FilterReport
    texts: Pairs | None = None
    """The kept pairs as text, where data.subword_sampling has use for them."""

    def __len__(self) -> int:
        return len(self.source.starts) - 1


class Batch(NamedTuple):
    """Some pairs as padded arrays. Source lengths stay on the CPU, where packing wants them."""

    source: Tensor
    """[B, S], each row closed by the end token."""
    source_lengths: Tensor
    """[B], end token included."""
    previous: Tensor
    """[B, T]: begin token, then the target; what the decoder is fed."""
    target: Tensor
    """[B, T]: the target, then the end token; what the decoder must say. Padded with PAD."""

    def to(self, device: torch.device) -> Batch:
        return Batch(
            self.source.to(device, non_blocking=True),
            self.source_lengths,
            self.previous.to(device, non_blocking=True),
            self.target.to(device, non_blocking=True),
        )


def prepare(
    source: Sequence[str],
    target: Sequence[str],
    tokenizers: TokenizerPair,
    config: DataConfig,
    *,
    held_out: int = 0,
) -> Corpus:
    """Filter and tokenise parallel text.

    Args:
        held_out: pairs that were taken out before, for the report.

    Raises:
        CorpusError: no pair passes the filters.
    """
    sides = ([text.strip() for text in source], [text.strip() for text in target])
    ids = (tokenizers.source.encode(sides[0]), tokenizers.target.encode(sides[1]))
    pairs = list(zip(*ids, strict=True))
    counts = dict.fromkeys(("empty", "duplicate", "too_long", "uneven"), 0)
    seen: set[tuple[str, str]] = set()
    kept: list[int] = []
    for number, (left, right) in enumerate(pairs):
        text = (sides[0][number], sides[1][number])
        longest, shortest = max(len(left), len(right)), min(len(left), len(right))
        if shortest == 0:
            counts["empty"] += 1
        elif config.remove_duplicates and text in seen:
            counts["duplicate"] += 1
        elif longest > config.max_pieces:
            counts["too_long"] += 1
        elif longest > config.max_length_ratio * shortest + 5:
            counts["uneven"] += 1
        else:
            kept.append(number)
            seen.add(text)
    report = FilterReport(read=len(pairs) + held_out, kept=len(kept), held_out=held_out, **counts)
    if not kept:
        raise CorpusError(f"no pair is left to train on: {report}")
    source_ids, target_ids = (Sentences.of([side[number] for number in kept]) for side in ids)
    texts = _chosen(*sides, kept) if config.subword_sampling else None
    return Corpus(source_ids, target_ids, report, texts)


def epoch_batches(corpus: Corpus, budget: int, *, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The sentence numbers of each batch of an epoch, in training order.

    Pairs of equal source length stand together, ordered by target length, so that little is
    padding and most batches need no packing; which of them share a batch, and the order of the
    batches, is drawn anew each epoch from (seed, epoch).

    Args:
        budget: bound on target positions of a batch, padding and end tokens included. A single
            longer pair makes a batch of its own.
    """
    random = np.random.default_rng((seed, epoch))
    shuffled = random.permutation(len(corpus))
    source, target = corpus.source.lengths[shuffled], corpus.target.lengths[shuffled] + 1
    order = shuffled[np.lexsort((target, source))]
    batches = list(_cut(order, corpus.target.lengths[order] + 1, budget))
    return [batches[number] for number in random.permutation(len(batches))]


def make_batch(corpus: Corpus, numbers: Iterable[int]) -> Batch:
    """The pairs of the given numbers as one padded batch."""
    numbers = list(numbers)
    source = pad([[*corpus.source[n], END] for n in numbers])
    target = pad([[*corpus.target[n], END] for n in numbers])
    previous = torch.cat([torch.full((len(numbers), 1), BEGIN), target[:, :-1]], dim=1)
    # Where a shorter row was padded, its end token has moved into `previous`; what stands there
    # is never scored, since `target` is PAD at those positions.
    lengths = torch.tensor([len(corpus.source[n]) + 1 for n in numbers])
    return Batch(source, lengths, previous, target)


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids as one array [B, longest], short rows filled up with PAD."""
    array = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for number, row in enumerate(rows):
        array[number, : len(row)] = row
    return torch.from_numpy(array)


def _chosen(source: Sequence[str], target: Sequence[str], numbers: Sequence[int]) -> Pairs:
    return [source[number] for number in numbers], [target[number] for number in numbers]


def _cut(
    order: NDArray[np.int64], lengths: NDArray[np.int64], budget: int
) -> Iterable[NDArray[np.int64]]:
    start, longest = 0, 0
    for stop, length in enumerate(lengths.tolist()):
        widened = max(longest, length)
        if stop > start and widened * (stop + 1 - start) > budget:
            yield order[start:stop]
            start, widened = stop, length
        longest = widened
    yield order[start:]
