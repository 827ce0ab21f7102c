"""How far apart two predictions of the same tokens are, without ever holding all their logits.

Knows pairs of readouts and an output layer. Does not know what makes the two differ.

For one position with distributions p and q over the vocabulary (Liang et al. 2021, eq. 2):

    D = (KL(p || q) + KL(q || p)) / 2 = sum((p - q) g) / 2,     g = log p - log q
    d D / d z_p = (p (g - KL(p || q)) + p - q) / 2              z_p: the logits behind p

and the same for q with p and q exchanged. As in `cross_entropy.py`, each chunk of rows computes
value and gradient and throws its logits away: peak memory is one chunk, whatever the batch and
vocabulary. The half is left to the end, where there is less to halve.

Shapes: P positions (padding already left out), E readout width, V pieces.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mt.loss.cross_entropy import CHUNK_ROWS
from mt.precision import product_dtype


def divergence(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sum D of every position, in nats; the gradient flows into both predictions.

    Args:
        first: [P, E], the readouts behind p.
        second: [P, E], those behind q.
        weight: [V, E], and bias [V]: the output layer of both.
    """
    inputs = (first, second, weight, bias)
    # Asked here: inside a custom function gradients are always off.
    differentiate = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    total: Tensor = _ChunkedDivergence.apply(  # type: ignore[no-untyped-call]  # torch's gap
        *inputs, product_dtype(weight), differentiate
    )
    return total


class _ChunkedDivergence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        first: Tensor,
        second: Tensor,
        weight: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
        differentiate: bool,
    ) -> Tensor:
        total = weight.new_zeros(())
        gradients = [torch.zeros_like(t) for t in (first, second, weight, bias) if differentiate]
        exact, weight, bias = weight.dtype, weight.to(dtype), bias.to(dtype)
        for start in range(0, len(first), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            inputs = [readouts[rows].to(dtype) for readouts in (first, second)]
            log_p, log_q = (
                F.linear(each, weight, bias).log_softmax(dim=1, dtype=exact) for each in inputs
            )
            gap = log_p - log_q
            p, q = log_p.exp_(), log_q.exp_()
            there = torch.linalg.vecdot(p, gap)[:, None]  # KL(p || q) of each row
            back = -torch.linalg.vecdot(q, gap)[:, None]
            total += (there + back).sum()
            if differentiate:
                # Twice the slopes of z_p and z_q, in place where that can be: new memory costs.
                slope_p = (gap + (1 - there)).mul_(p).sub_(q)
                slope_q = gap.neg_().add_(1 - back).mul_(q).sub_(p)
                for number, slope in enumerate((slope_p, slope_q)):
                    gradients[3] += slope.sum(dim=0)
                    slope = slope.to(dtype)
                    gradients[number][rows] = slope @ weight
                    gradients[2] += slope.T @ inputs[number]
        ctx.save_for_backward(*gradients)
        return total / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (gradient * (outputs[0] / 2) for gradient in ctx.saved_tensors)
        return *gradients, None, None
