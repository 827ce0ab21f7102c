"""What a layer of memory cells has to do for the rest of the library.

Knows the calls and their shapes. Does not know how a layer runs: `mt.lstm.fused` and
`mt.lstm.looped` do.

Shapes: T steps, N rows, I inputs, H hidden units, D directions (1 or 2).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mt.lstm.cell import LSTMCell, LSTMState


class Layer(nn.Module, ABC):
    """One layer over whole sequences, in one direction or both.

    Weight drop (DropConnect on W_h*; Merity et al. 2018, section 2): while training, each weight
    between hidden states is zero with the given probability and scaled up otherwise, by one mask
    for the whole batch and all its steps.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bidirectional: bool, weight_drop: float
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bidirectional = bidirectional
        self.weight_drop = weight_drop

    @abstractmethod
    def forward(
        self, inputs: Tensor, state: LSTMState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, LSTMState]:
        """Run over whole sequences.

        Args:
            inputs: [T, N, I], padded at the end.
            state: initial state [D, N, H]; zeros if None.
            lengths: [N] on the CPU, true lengths; None where every sequence fills T. Steps beyond
                a sequence's length change nothing: its final state is that of its last true step.

        Returns:
            outputs [T, N, D*H], zero beyond the lengths, and the final state [D, N, H].
        """

    @abstractmethod
    def step(self, x: Tensor, state: LSTMState) -> LSTMState:
        """One step in one direction: x [N, I], state [N, H] -> state [N, H].

        With weights of half precision the memory may come, and then stays, in fp32.
        """

    @abstractmethod
    def cells(self) -> tuple[LSTMCell, ...]:
        """A copy of this layer as cells of named gates, one a direction (forward, backward)."""

    @abstractmethod
    def load_cells(self, *cells: LSTMCell) -> None:
        """Take over the parameters of one cell a direction; the inverse of `cells`."""
