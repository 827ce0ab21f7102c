"""The order of an epoch, and its padded batches.

Knows lengths and token budgets. Does not know text or models. The order is a function of (seed,
epoch) alone, so a run continues anywhere.

Shapes: B sentences of a batch, S longest source with its end token, T longest target with its.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mt.corpus.sentences import Corpus, Sentences
from mt.tokens import BEGIN, END, PAD


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


def epoch_batches(corpus: Corpus, budget: int, *, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The sentence numbers of each batch of an epoch, in training order.

    Pairs of equal source length stand together, ordered by target length, so that little is
    padding and most batches need no packing; which of them share a batch, and the order of the
    batches, is drawn anew each epoch from (seed, epoch).

    The batches are views of one array of 8 bytes a pair.

    Args:
        budget: bound on target positions of a batch, padding and end tokens included. A single
            longer pair makes a batch of its own.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(corpus))
    order = order[_by_length(corpus, order)]
    batches = list(_cut(order, corpus.target.lengths[order] + 1, budget))
    return [batches[number] for number in random.permutation(len(batches))]


def make_batch(corpus: Corpus, numbers: Iterable[int]) -> Batch:
    """The pairs of the given numbers as one padded batch."""
    chosen = np.fromiter(numbers, np.int64)
    source, source_lengths = _closed(corpus.source.take(chosen))
    targets = corpus.target.take(chosen)
    target, _ = _closed(targets.reversed() if corpus.reverse_target else targets)
    previous = torch.cat([torch.full((len(chosen), 1), BEGIN), target[:, :-1]], dim=1)
    # Where a shorter row was padded, its end token has moved into `previous`; what stands there
    # is never scored, since `target` is PAD at those positions.
    return Batch(source, source_lengths, previous, target)


def _by_length(corpus: Corpus, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order that sorts these pairs by source length, then by target length; equals stay put."""
    source, target = corpus.source.lengths, corpus.target.lengths
    # Both lengths as one number. NumPy's stable sort of 16 bits takes linear time.
    width = int(target.max()) + 1
    small = (int(source.max()) + 1) * width <= 1 << 16
    key = np.multiply(source, width, dtype=np.uint16 if small else np.int64, casting="unsafe")
    np.add(key, target, out=key, casting="unsafe")
    return np.argsort(key[numbers], kind="stable")


def _cut(
    order: NDArray[np.int64], positions: NDArray[np.int32], budget: int
) -> Iterator[NDArray[np.int64]]:
    """Neighbours that fit into a batch together, as many as do; `positions` is [pairs]."""
    start = 0
    while start < len(order):
        ahead = positions[start : start + max(1, budget // int(positions[start]))]
        padded = np.maximum.accumulate(ahead) * np.arange(1, len(ahead) + 1)
        stop = start + max(1, int(np.searchsorted(padded, budget, "right")))
        yield order[start:stop]
        start = stop


def _closed(sentences: Sentences) -> tuple[Tensor, Tensor]:
    """Sentences with end tokens as one array [B, longest], and their lengths [B]."""
    lengths = sentences.lengths
    array = np.full((len(sentences), int(lengths.max()) + 1), PAD, np.int64)
    places = np.arange(array.shape[1])
    array[places < lengths[:, None]] = sentences.ids
    array[places == lengths[:, None]] = END
    return torch.from_numpy(array), torch.from_numpy(lengths.astype(np.int64) + 1)
