"""A layer of the standard cell over whole sequences, with its gradient written out.

Knows the equations of `mt.lstm.cell` and backpropagation through time (Werbos 1990; for the cell,
Greff et al. 2017, II.B). Does not know parameters or directions as modules have them
(`mt.lstm.fused`), whose training on a CPU this is for: what does not have to wait for the step
before is one product for all steps, the gradient of every weight among it, where torch.nn.LSTM
takes one a step.

Forward, with a = W_x x + W_h h' + b cut into the sums of i, f, g and o:

    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)      g = tanh(a_g)
    c = f c' + i g                                          h = o tanh(c)

Backward, dv standing for the derivative of the loss by v, from the last step to the first:

    do = dh tanh(c)                 dc = dc + dh o (1 - tanh(c)^2)
    di = dc g     df = dc c'        dg = dc i
    da_k = dk k (1 - k) for k = i, f, o           da_g = dg (1 - g^2)
    dh' = W_h^T da                  dc' = dc f
    dx = W_x^T da     dW_x = sum da x^T     dW_h = sum da h'^T     db = sum da

Along c the gradient is multiplied by f alone, at each step.

Shapes: T steps, N rows, I inputs, H hidden units.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mt.lstm.cell import LSTMState
from mt.precision import product_dtype


def unroll(
    inputs: Tensor,
    state: LSTMState,
    W_x: Tensor,
    W_h: Tensor,
    bias: Tensor,
    *,
    within: Tensor | None = None,
    backwards: bool = False,
) -> tuple[Tensor, LSTMState]:
    """Run the cell over sequences; gates are stacked i, f, g, o as in torch.nn.LSTM.

    Args:
        inputs: [T, N, I].
        state: before the first step, [N, H] each.
        W_x: [4H, I].
        W_h: [4H, H].
        bias: [4H].
        within: [T, N, 1], whether a step lies within its row; outside of it the row stands still,
            and its output is zero. None where every row fills T.
        backwards: go from the last step to the first.

    Returns:
        outputs [T, N, H] in the precision of products, and the state after the last step taken.
    """
    outputs, hidden, cell = _Unrolled.apply(  # type: ignore[no-untyped-call]  # torch's gap
        inputs, state.hidden, state.cell, W_x, W_h, bias, within, backwards, product_dtype(W_h)
    )
    return outputs, LSTMState(hidden, cell)


class _Unrolled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        W_x: Tensor,
        W_h: Tensor,
        bias: Tensor,
        within: Tensor | None,
        backwards: bool,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, W_x, W_h = (values.to(dtype) for values in (inputs, W_x, W_h))
        steps, rows, size = len(x), x.shape[1], W_h.shape[1]
        sums = F.linear(x.flatten(0, 1), W_x, bias.to(dtype)).view(steps, rows, -1)
        gates = cell.new_empty(steps, rows, 4 * size)
        cells, shown = cell.new_empty(2, steps, rows, size)
        hiddens = hidden.new_empty(steps, rows, size, dtype=dtype)
        before_h, before_c = hidden.to(dtype), cell
        first_h, first_c = before_h, before_c
        for t in _order(steps, backwards):
            gates[t] = torch.addmm(sums[t], before_h, W_h.T)
            gates[t, :, : 2 * size].sigmoid_()
            _tanh(gates[t, :, 2 * size : 3 * size], out=gates[t, :, 2 * size : 3 * size])
            gates[t, :, 3 * size :].sigmoid_()
            i, f, g, o = gates[t].chunk(4, dim=1)
            torch.mul(f, before_c, out=cells[t]).addcmul_(i, g)
            _tanh(cells[t], out=shown[t])
            hiddens[t] = o * shown[t]
            if within is not None:
                torch.where(within[t], cells[t], before_c, out=cells[t])
                torch.where(within[t], hiddens[t], before_h, out=hiddens[t])
            before_h, before_c = hiddens[t], cells[t]
        ctx.save_for_backward(x, W_x, W_h, gates, cells, shown, hiddens, first_h, first_c, within)
        ctx.backwards = backwards
        outputs = hiddens.clone() if within is None else hiddens * within
        return outputs, before_h.to(hidden.dtype), before_c.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        x, W_x, W_h, gates, cells, shown, hiddens, first_h, first_c, within = ctx.saved_tensors
        d_outputs, dh, dc = given
        steps, rows, size = shown.shape
        d_sums = x.new_empty(steps, rows, 4 * size)
        da = gates.new_empty(rows, 4 * size)
        da_i, da_f, da_g, da_o = da.chunk(4, dim=1)
        d_bias = gates.new_zeros(4 * size)
        dh = dh.to(gates.dtype)
        order = list(_order(steps, ctx.backwards))
        for t, before in zip(reversed(order), [*order[-2::-1], None], strict=True):
            i, f, g, o = gates[t].chunk(4, dim=1)
            before_c = first_c if before is None else cells[before]
            if within is None:
                dh_t, dc_t = dh + d_outputs[t], dc
            else:
                dh_t, dc_t = (dh + d_outputs[t]) * within[t], dc * within[t]
            _sigmoid_backward(dh_t * shown[t], o, grad_input=da_o)
            dc_t = dc_t + torch.ops.aten.tanh_backward(dh_t * o, shown[t])
            _sigmoid_backward(dc_t * g, i, grad_input=da_i)
            _sigmoid_backward(dc_t * before_c, f, grad_input=da_f)
            _tanh_backward(dc_t * i, g, grad_input=da_g)
            d_sums[t] = da
            d_bias += da.sum(dim=0)
            dh_before, dc_before = (d_sums[t] @ W_h).to(dh.dtype), dc_t * f
            if within is not None:
                dh_before = torch.where(within[t], dh_before, dh)
                dc_before = torch.where(within[t], dc_before, dc)
            dh, dc = dh_before, dc_before
        before_h = (
            torch.cat([hiddens[1:], first_h[None]])
            if ctx.backwards
            else torch.cat([first_h[None], hiddens[:-1]])
        )
        flat = d_sums.flatten(0, 1)
        return (
            (flat @ W_x).view(x.shape),
            dh,
            dc,
            (flat.T @ x.flatten(0, 1)).to(gates.dtype),
            (flat.T @ before_h.flatten(0, 1)).to(gates.dtype),
            d_bias,
            *(None, None, None),
        )


_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def _tanh(values: Tensor, out: Tensor) -> None:
    """tanh(x) = 2 sigmoid(2 x) - 1: on a CPU torch computes this several times as fast."""
    torch.mul(values, 2, out=out).sigmoid_().mul_(2).sub_(1)


def _order(steps: int, backwards: bool) -> range:
    return range(steps - 1, -1, -1) if backwards else range(steps)
