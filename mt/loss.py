"""Label-smoothed cross entropy over a large vocabulary, without ever holding all its logits.

Knows readouts, an output layer and the right tokens. Does not know where they come from.
Returns sums and counts, never means: a mean over a whole corpus is made once, at the end.

For one position with logits z, right token y, V pieces and smoothing e (Szegedy et al. 2016, 7):

    loss = logsumexp(z) - (1 - e) z_y - e mean(z)
    d loss / d z = softmax(z) - (1 - e) onehot(y) - e / V

Since the gradient is known the moment the loss is, each chunk of rows computes both and throws
its logits away: peak memory is one chunk, whatever the batch and the vocabulary.

Shapes: P positions (padding already left out), E readout width, V pieces.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CHUNK_ROWS = 256
"""Rows of logits alive at once; 256 x 8,000 floats stay within a processor's last-level cache."""


class Loss(NamedTuple):
    """Sums over positions."""

    smoothed: Tensor
    """What is minimised; carries the gradient."""
    nll: Tensor
    """Negative log-likelihood in nats, without smoothing; for reporting."""
    positions: int


def cross_entropy(
    readouts: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, smoothing: float = 0.0
) -> Loss:
    """Sum the loss of every position.

    Args:
        readouts: [P, E].
        weight: [V, E], and bias [V]: the output layer.
        targets: [P], the right token of each position.
        smoothing: probability mass spread evenly over the vocabulary, in [0, 1).
    """
    dtype = _product_dtype(weight)
    # Asked here: inside a custom function gradients are always off.
    differentiate = torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (readouts, weight, bias)
    )
    smoothed, nll = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's gap
        readouts, weight, bias, targets, smoothing, dtype, differentiate
    )
    return Loss(smoothed, nll, len(targets))


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        readouts: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        smoothing: float,
        dtype: torch.dtype,
        differentiate: bool,
    ) -> tuple[Tensor, Tensor]:
        smoothed = weight.new_zeros(())
        nll = weight.new_zeros(())
        gradients = [torch.zeros_like(t) for t in (readouts, weight, bias)] if differentiate else []
        exact, weight = weight.dtype, weight.to(dtype)
        for start in range(0, len(targets), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            inputs, right = readouts[rows].to(dtype), targets[rows, None]
            logits = F.linear(inputs, weight).to(exact).add_(bias)
            right_logits = logits.gather(1, right).sum()
            mean_logits = logits.mean(dim=1).sum()
            normaliser = logits.logsumexp(dim=1)
            nll += normaliser.sum() - right_logits
            smoothed += normaliser.sum() - (1 - smoothing) * right_logits - smoothing * mean_logits
            if differentiate:
                slope = logits.sub_(normaliser[:, None]).exp_().sub_(smoothing / logits.shape[1])
                slope.scatter_add_(1, right, slope.new_full(right.shape, smoothing - 1))
                gradients[2] += slope.sum(dim=0)
                slope = slope.to(dtype)
                gradients[0][rows] = slope @ weight
                gradients[1] += slope.T @ inputs
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (gradient * outputs[0] for gradient in ctx.saved_tensors)
        return *gradients, None, None, None, None


def _product_dtype(weight: Tensor) -> torch.dtype:
    """The type of matrix products: autocast's where it is on, which no custom function is told."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
