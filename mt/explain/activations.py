"""Everything that the cells of a model compute for one source and its translation.

Knows token ids and layers. Does not know texts, or what the figures tell.

Shapes: S source positions, T target positions, H hidden units; positions come in the order of the
text on the source side, and in that of writing on the target side, whichever way a layer reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mt.explain.watched import WatchedLayer, flipped, watched_layers
from mt.lstm import Activations, LSTMState
from mt.model import Seq2Seq
from mt.tokens import BEGIN, END

Side = Literal["encoder", "decoder"]


class ObservedLayer(NamedTuple):
    """One layer in one direction."""

    side: Side
    depth: int
    """Counted from 1, which reads the embeddings."""
    backwards: bool
    """Whether it reads from the last position to the first."""
    activations: Activations
    """[S, H] or [T, H] each."""
    initial: LSTMState
    """[H] each: before the first step."""
    output_tanh: bool = True
    """Whether h = o * tanh(c); else h = o * c."""
    layer_norm: bool = False
    """Whether h is made of a normalised c."""

    @property
    def name(self) -> str:
        """For people, such as "encoder 2, backward"."""
        if self.side == "decoder":
            return f"decoder {self.depth}"
        return f"encoder {self.depth}, {'backward' if self.backwards else 'forward'}"

    @property
    def units(self) -> int:
        """H."""
        return self.activations.cell.shape[-1]


class Observation(NamedTuple):
    """What a model computed."""

    layers: tuple[ObservedLayer, ...]
    """From the embeddings up, the encoder's first; of a depth forward before backward, as far as
    the layer itself is concerned."""
    attention: Tensor | None
    """[T, S]: where the output looked at each target position; None without attention."""


@torch.no_grad()
def observe(watched: Seq2Seq, source: Sequence[int], written: Sequence[int]) -> Observation:
    """Have a watched model read a source and write a given translation.

    Args:
        watched: as `mt.explain.watched.watch` makes it.
        source: token ids without special tokens; the end token is added, as for every source.
        written: token ids in the order of writing, the end token with them if it was written.
    """
    tokens, lengths = torch.tensor([[*source, END]]), torch.tensor([len(source) + 1])
    previous = torch.tensor([[BEGIN, *written[:-1]]])
    attention = None
    if watched.decoder.attention is None:
        watched(tokens, lengths, previous)
    else:
        attention = watched.attention_weights(tokens, lengths, previous)[0]
    layers = [*encoder_layers(watched)]
    for depth, layer in enumerate(watched_layers(watched.decoder.layers), start=1):
        layers += _layers("decoder", depth, layer, reverse=False)
    rows = (each._replace(activations=_row(each.activations)) for each in layers)
    return Observation(tuple(rows), attention)


def encoder_layers(watched: Seq2Seq) -> Iterator[ObservedLayer]:
    """What the encoder of a watched model computed in its last pass, activations [S, N, H]."""
    encoder = watched.encoder
    for depth, layer in enumerate(watched_layers(encoder.layers), start=1):
        yield from _layers("encoder", depth, layer, reverse=encoder.reverse)


def _layers(
    side: Side, depth: int, layer: WatchedLayer, *, reverse: bool
) -> Iterator[ObservedLayer]:
    """Each direction; with `reverse` the layer's own order is that of the text turned round."""
    for direction, (activations, initial) in enumerate(
        zip(layer.activations, layer.initial, strict=True)
    ):
        yield ObservedLayer(
            side,
            depth,
            (direction == 1) != reverse,
            flipped(activations) if reverse else activations,
            LSTMState(initial.hidden[0], initial.cell[0]),
            *layer.variant,
        )


def _row(activations: Activations) -> Activations:
    return Activations(*(values[:, 0] for values in activations))
