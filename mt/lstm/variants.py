"""Memory cells that follow other equations than the standard one, each change alone or combined.

Knows the variants' equations, written to be read. Does not know how to run them fast: that is
`mt.lstm.looped`.

The standard cell (`mt.lstm`) line by line, and beside a line what an option makes of it:

    i = sigmoid(a_i)
    f = sigmoid(a_f)      coupled_gates      f = 1 - i
    o = sigmoid(a_o)
    g = tanh(a_c)
    c = f * c' + i * g
    h = o * tanh(c)       output_tanh off    h = o * c
                          layer_norm         h = o * tanh(LN(c) * gain_cell + shift_cell)

with, for each gate k of i, f, o and for the candidate (k = c),

    a_k = W_xk x + W_hk h' + b_k
                          peepholes          a_i + p_i * c',  a_f + p_f * c',  a_o + p_o * c
                          layer_norm         LN_k(W_x x) * gain_xk + LN_k(W_h h') * gain_hk + b_k

A line takes every change written beside it, so the options combine freely.

- `coupled_gates`: what is written replaces what was there (Greff et al. 2017, section IV.C, CIFG).
  The input gate stays and the forget gate has no parameters; b_i starts at minus the forget bias,
  at which f is what it is in the standard cell. A cell within -1 and 1 never leaves that range.
- `output_tanh` off: the cell is shown as it is (Greff et al. 2017, section IV.C, NOAF). The hidden
  state then has no bound, unless `coupled_gates` gives the cell one.
- `peepholes`: a gate sees its own unit's cell, the output gate the new one (Gers and Schmidhuber
  2000; Graves 2013, eqs. 7 to 11). The weights p start at 0, as if there were none.
- `layer_norm`: LN(v) = (v - mean(v)) / sqrt(variance(v) + 1e-5) of a row v, LN_k its part for gate
  k: the products of all gates are normalised together (Ba et al. 2016, supplement, eqs. 20 to 22).
  Of the paper's three additive vectors a gate keeps one, b_k, which the other two only add to.
  Peepholes see the cell as it is.

Shapes: T steps, N rows, I inputs, H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mt.config import Variant
from mt.lstm.cell import Activations, LSTMCell, LSTMState


class VariantCell(LSTMCell):
    """One step of a variant, written as the equations above.

    Parameters are those of `LSTMCell`, without the forget gate's where the gates are coupled; with
    peepholes p_* [H]; with layer normalisation gain_x*, gain_h*, gain_cell and shift_cell [H].
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        variant: Variant,
        forget_bias: float = 1.0,
        chrono_length: int = 0,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            forget_bias=forget_bias,
            chrono_length=chrono_length,
            gates=variant.gates,
        )
        self.variant = variant
        if variant.coupled_gates and not chrono_length:
            nn.init.constant_(self.b_i, -forget_bias)
        for gate in variant.seeing:
            self._add(f"p_{gate}", 0.0)
        if variant.layer_norm:
            for gate in variant.gates:
                self._add(f"gain_x{gate}", 1.0)
                self._add(f"gain_h{gate}", 1.0)
            self._add("gain_cell", 1.0)
            self._add("shift_cell", 0.0)

    def forward(self, x: Tensor, state: LSTMState) -> Activations:
        """x [N, I], state [N, H] -> all activations of the step, each [N, H]."""
        h, c = state
        a = self._sums(x, h)
        i = torch.sigmoid(a["i"] + self._seen("i", c))
        f = 1 - i if self.variant.coupled_gates else torch.sigmoid(a["f"] + self._seen("f", c))
        g = torch.tanh(a["c"])
        c = f * c + i * g
        o = torch.sigmoid(a["o"] + self._seen("o", c))
        h = o * self._shown(c)
        return Activations(i, f, o, g, c, h)

    def _sums(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        from_x, from_h = self._products("x", x), self._products("h", h)
        return {gate: from_x[gate] + from_h[gate] + self._of("b_", gate) for gate in from_x}

    def _products(self, side: str, values: Tensor) -> dict[str, Tensor]:
        products = {gate: values @ self._of(f"W_{side}", gate).T for gate in self.variant.gates}
        if not self.variant.layer_norm:
            return products
        together = _normalised(torch.cat([*products.values()], dim=-1))
        parts = zip(products, together.chunk(len(products), dim=-1), strict=True)
        return {gate: part * self._of(f"gain_{side}", gate) for gate, part in parts}

    def _seen(self, gate: str, c: Tensor) -> Tensor | float:
        return self._of("p_", gate) * c if self.variant.peepholes else 0.0

    def _shown(self, c: Tensor) -> Tensor:
        if self.variant.layer_norm:
            c = _normalised(c) * self.get_parameter("gain_cell") + self.get_parameter("shift_cell")
        return torch.tanh(c) if self.variant.output_tanh else c

    def _add(self, name: str, value: float) -> None:
        self.register_parameter(name, nn.Parameter(torch.full((self.hidden_size,), value)))

    def _of(self, kind: str, gate: str) -> nn.Parameter:
        return self.get_parameter(kind + gate)


def _normalised(values: Tensor) -> Tensor:
    # The constant carries the first step, at which h and with it every product is 0.
    variance, mean = torch.var_mean(values, dim=-1, correction=0, keepdim=True)
    return (values - mean) / torch.sqrt(variance + 1e-5)
