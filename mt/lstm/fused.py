"""A layer of the standard cell over whole sequences, fused: the form to run.

Knows torch.nn.LSTM, whose stacked matrices hold the four gates, so that a whole sequence is one
call into oneDNN or cuDNN; and `mt.lstm.unrolled`, where that trains faster. Its equations are those
of `mt.lstm.cell`, whose cells it is converted from and into. Does not know other equations
(`mt.lstm.looped`).

Shapes: T steps, N rows, I inputs, H hidden units, D directions (1 or 2).
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from mt.lstm.cell import LSTMCell, LSTMState, zero_state
from mt.lstm.layer import Layer
from mt.lstm.unrolled import unroll
from mt.precision import product_dtype

AnyInputs = TypeVar("AnyInputs", Tensor, PackedSequence)


class LSTM(Layer):
    """A layer of the standard cell, fused.

    torch.nn.LSTM adds two bias vectors where the equations have one. The second is held at zero
    and not trained, so that a gradient step moves a gate's bias exactly as it moves `LSTMCell`'s.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
        chrono_length: int = 0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, bidirectional, weight_drop)
        self.fused = nn.LSTM(input_size, hidden_size, bidirectional=bidirectional)
        self.load_cells(
            *(
                LSTMCell(
                    input_size, hidden_size, forget_bias=forget_bias, chrono_length=chrono_length
                )
                for _ in self._suffixes()
            )
        )
        for suffix in self._suffixes():
            getattr(self.fused, f"bias_hh{suffix}").requires_grad_(False)

    def forward(
        self, inputs: Tensor, state: LSTMState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """As `Layer.forward`."""
        if self._unrolls():
            return self._unrolled(inputs, state, lengths)
        # Unpacked input is worth a branch: only it takes oneDNN's fused path on a CPU.
        if lengths is None or bool((lengths == len(inputs)).all()):
            return self._run(inputs, state)
        packed = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
        outputs, final = self._run(packed, state)
        return pad_packed_sequence(outputs, total_length=len(inputs))[0], final

    def step(self, x: Tensor, state: LSTMState) -> LSTMState:
        """As `Layer.step`: over the stacked matrices, two products instead of eight."""
        assert not self.bidirectional, "a single step has one direction"
        W_x, W_h, bias, _ = self.fused.all_weights[0]  # the second bias is zero
        stacked = torch.addmm(torch.addmm(bias, x, W_x.T), state.hidden, W_h.T)
        i, f, g, o = stacked.chunk(4, dim=1)
        cell = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        return LSTMState((torch.sigmoid(o) * torch.tanh(cell)).to(bias.dtype), cell)

    def cells(self) -> tuple[LSTMCell, ...]:
        """As `Layer.cells`."""
        return tuple(self._cell(suffix) for suffix in self._suffixes())

    @torch.no_grad()
    def load_cells(self, *cells: LSTMCell) -> None:
        """As `Layer.load_cells`."""
        suffixes = self._suffixes()
        assert len(cells) == len(suffixes), "one cell for each direction"
        for cell, suffix in zip(cells, suffixes, strict=True):
            # torch.nn.LSTM stacks the gates as input, forget, candidate, output.
            stacks = {
                "weight_ih": (cell.W_xi, cell.W_xf, cell.W_xc, cell.W_xo),
                "weight_hh": (cell.W_hi, cell.W_hf, cell.W_hc, cell.W_ho),
                "bias_ih": (cell.b_i, cell.b_f, cell.b_c, cell.b_o),
            }
            for name, gates in stacks.items():
                getattr(self.fused, name + suffix).copy_(torch.cat([*gates]))
            getattr(self.fused, f"bias_hh{suffix}").zero_()

    def _unrolls(self) -> bool:
        """Whether this is a pass to train on that takes less time with its gradient written out.

        In bf16 on a CPU it takes three quarters of the time and less. In fp32 oneDNN is ahead; with
        AMX, where products cost little beside the rest, it has not been measured.
        """
        return (
            torch.is_grad_enabled()
            and bool(self._weight.requires_grad)
            and self._weight.device.type == "cpu"
            and product_dtype(self._weight) is torch.bfloat16
            and not torch.cpu.get_capabilities().get("amx_bf16", False)
        )

    def _unrolled(
        self, inputs: Tensor, state: LSTMState | None, lengths: Tensor | None
    ) -> tuple[Tensor, LSTMState]:
        weights: dict[str, Tensor] = dict(self.fused.named_parameters())
        if self.training and self.weight_drop:
            weights |= self._thinned()
        within = None
        if lengths is not None and not bool((lengths == len(inputs)).all()):
            within = (torch.arange(len(inputs))[:, None] < lengths)[..., None]
        initial = zero_state(weights["weight_hh_l0"], inputs.shape[1], self.hidden_size)
        outputs, finals = [], []
        for direction, suffix in enumerate(self._suffixes()):
            sequence, final = unroll(
                inputs,
                LSTMState(state.hidden[direction], state.cell[direction]) if state else initial,
                weights[f"weight_ih{suffix}"],
                weights[f"weight_hh{suffix}"],
                weights[f"bias_ih{suffix}"],  # the other one is zero
                within=within,
                backwards=direction == 1,
            )
            outputs.append(sequence)
            finals.append(final)
        stacked = (torch.stack(states) for states in zip(*finals, strict=True))
        return torch.cat(outputs, dim=-1), LSTMState(*stacked)

    def _run(self, inputs: AnyInputs, state: LSTMState | None) -> tuple[AnyInputs, LSTMState]:
        if self._would_halve():
            whole = None if state is None else LSTMState(state.hidden.float(), state.cell.float())
            with torch.autocast(self._weight.device.type, enabled=False):
                return self._call(inputs.float(), whole)
        return self._call(inputs, state)

    def _would_halve(self) -> bool:
        """Whether autocast would take this layer to fp16, where it is to take it to bf16.

        So it does with cuDNN's layers, whatever type it is given, and gradients that are divided by
        thousands of tokens vanish in fp16. In fp32 cuDNN still multiplies in TF32 where there is.
        """
        return self._weight.device.type == "cuda" and torch.is_autocast_enabled("cuda")

    def _call(self, inputs: AnyInputs, state: LSTMState | None) -> tuple[AnyInputs, LSTMState]:
        if self.training and self.weight_drop:
            outputs, final = functional_call(self.fused, self._thinned(), (inputs, state))
        else:
            outputs, final = self.fused(inputs, state)
        # Autocast on a CPU would leave a memory in bf16, if no sequence is padded.
        return outputs, LSTMState(*(state.to(self._weight.dtype) for state in final))

    def _thinned(self) -> dict[str, Tensor]:
        names = [f"weight_hh{suffix}" for suffix in self._suffixes()]
        return {name: dropout(self.fused.get_parameter(name), self.weight_drop) for name in names}

    @torch.no_grad()
    def _cell(self, suffix: str) -> LSTMCell:
        weight = getattr(self.fused, f"weight_ih{suffix}")
        cell = LSTMCell(self.input_size, self.hidden_size).to(weight)
        bias = getattr(self.fused, f"bias_ih{suffix}") + getattr(self.fused, f"bias_hh{suffix}")
        for gate, x, h, b in zip(
            "ifco",
            weight.chunk(4),
            getattr(self.fused, f"weight_hh{suffix}").chunk(4),
            bias.chunk(4),
            strict=True,
        ):
            getattr(cell, f"W_x{gate}").copy_(x)
            getattr(cell, f"W_h{gate}").copy_(h)
            getattr(cell, f"b_{gate}").copy_(b)
        return cell

    @property
    def _weight(self) -> Tensor:
        return self.fused.get_parameter("weight_hh_l0")

    def _suffixes(self) -> tuple[str, ...]:
        return ("_l0", "_l0_reverse") if self.bidirectional else ("_l0",)
