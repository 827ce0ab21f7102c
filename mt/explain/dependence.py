"""How much the encoder's final states still depend on each source token.

Knows two measures. The gradient sees every way from a token to a final state, through all gates and
layers; the product of forget gates sees the one way that leads along the cell itself:

    gradient    || d (h_end, c_end) / d x_j ||      Frobenius norm, x_j the embedding of token j
    kept        product of f_t over the steps t behind j, for each unit

The second is the factor that what was written at j has in the final cell, for along c

    c_end = sum_j  kept_j * i_j * g_j  +  (product of all f_t) * c_start

exactly (the constant error carousel: Hochreiter and Schmidhuber 1997, section 3; forget gates:
Gers, Schmidhuber and Cummins 2000). Does not know texts, nor what the decoder makes of a state.

Shapes: S source positions in the order of the text, H hidden units, E embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mt.explain.activations import ObservedLayer, encoder_layers
from mt.model import Seq2Seq
from mt.tokens import END

_TOGETHER = 256
"""Rows of a Jacobian computed at once; bounds memory."""


def kept(layer: ObservedLayer) -> Tensor:
    """[S, H]: the product of the forget gates of all steps behind each position."""
    forget = layer.activations.forget.flip(0) if layer.backwards else layer.activations.forget
    behind = torch.cat([forget[1:], torch.ones_like(forget[:1])])
    products = behind.flip(0).cumprod(0).flip(0)
    return products.flip(0) if layer.backwards else products


def left_in_the_end(layer: ObservedLayer) -> Tensor:
    """[S, H]: what is in the final cell of that which was written at each position."""
    return kept(layer) * layer.activations.input * layer.activations.candidate


def gradient_norms(watched: Seq2Seq, source: Sequence[int]) -> list[Tensor]:
    """For each layer and direction of the encoder, as in `observe`, its gradient norms [S].

    Args:
        watched: as `mt.explain.watched.watch` makes it.
        source: token ids without special tokens; the end token is added.
    """
    tokens, lengths = torch.tensor([[*source, END]]), torch.tensor([len(source) + 1])
    encoder = watched.encoder
    # Zeros that are added to the embeddings have the embeddings' gradient.
    shift = torch.zeros(len(source) + 1, 1, encoder.embedding.embedding_dim).to(
        watched.output_bias.dtype
    )
    shift.requires_grad_()
    hook = encoder.embedding.register_forward_hook(lambda _, __, embedded: embedded + shift)
    try:
        with torch.enable_grad():
            encoder(tokens, lengths)
            layers = list(encoder_layers(watched))
    finally:
        hook.remove()
    norms = [_norms(_final(layer), shift) for layer in layers]
    # The shift lies in the order of reading.
    return [norm.flip(0) for norm in norms] if encoder.reverse else norms


def _final(layer: ObservedLayer) -> Tensor:
    """[2H]: hidden and cell state behind the layer's last step."""
    last = 0 if layer.backwards else -1
    return torch.cat([layer.activations.hidden[last, 0], layer.activations.cell[last, 0]])


def _norms(final: Tensor, shift: Tensor) -> Tensor:
    """The norm of d final / d shift for each position of shift [S, 1, E] -> [S]."""
    squares = torch.zeros(len(shift), dtype=shift.dtype)
    for rows in torch.eye(len(final), dtype=final.dtype).split(_TOGETHER):
        (jacobian,) = torch.autograd.grad(
            final, shift, rows, retain_graph=True, is_grads_batched=True
        )  # [rows, S, 1, E]
        squares += jacobian.square().sum(dim=(0, 2, 3))
    return squares.sqrt()
