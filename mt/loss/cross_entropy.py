"""Label-smoothed cross entropy over a large vocabulary, without ever holding all its logits.

Knows readouts, an output layer and the right tokens. Does not know where they come from.
Returns sums and counts, never means: a mean over a whole corpus is made once, at the end.

For one position with logits z, right token y, V pieces and smoothing e (Szegedy et al. 2016, 7):

    loss = - (1 - e) log p_y - e mean(log p),     log p = log_softmax(z)
    d loss / d z = p - (1 - e) onehot(y) - e / V

Since the gradient is known the moment the loss is, each chunk of rows computes both and throws
its logits away: peak memory is one chunk, whatever the batch and the vocabulary. Passes over a
chunk are what costs beside the products. So e / V, the same everywhere, is left out of the slope
p - (1 - e) onehot(y) that the products take, and put into their results, where it is less to do;
and mean(log p) = mean(z) - z_y + log p_y, where mean(z) is a product with the mean weights.

Shapes: P positions (padding already left out), E readout width, V pieces.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mt.precision import product_dtype

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
    dtype = product_dtype(weight)
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
        share = smoothing / len(weight)
        mean_weight, mean_bias = weight.mean(dim=0), bias.mean()
        exact, weight, bias = weight.dtype, weight.to(dtype), bias.to(dtype)
        for start in range(0, len(targets), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            inputs, right = readouts[rows].to(dtype), targets[rows, None]
            logits = F.linear(inputs, weight, bias)
            log_p = logits.log_softmax(dim=1, dtype=exact)
            log_p_right = log_p.gather(1, right).sum()
            mean_logits = inputs.to(exact) @ mean_weight + mean_bias
            mean_log_p = (mean_logits - logits.gather(1, right)[:, 0]).sum() + log_p_right
            nll -= log_p_right
            smoothed -= (1 - smoothing) * log_p_right + smoothing * mean_log_p
            if differentiate:
                slope = log_p.exp_()
                slope.scatter_add_(1, right, slope.new_full(right.shape, smoothing - 1))
                gradients[2] += slope.sum(dim=0)
                slope = slope.to(dtype)
                gradients[0][rows] = slope @ weight
                gradients[1] += slope.T @ inputs
        if differentiate and smoothing:
            gradients[0] -= smoothing * mean_weight
            gradients[1] -= share * readouts.sum(dim=0, dtype=exact)
            gradients[2] -= share * len(targets)
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(nll)
        return smoothed, nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (gradient * outputs[0] for gradient in ctx.saved_tensors)
        return *gradients, None, None, None, None
