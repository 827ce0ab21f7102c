"""The encoder's final states to the decoder's first: all that passes where there is no attention.

Knows the maps between the two, one a layer, and the summary of all. Does not know what either does
with its states.

Shapes: B sentences, L layers, W encoder width (directions x hidden), C context.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mt.config import ModelConfig
from mt.lstm import LSTMState
from mt.model.decoder import DecoderState


class Bridge(nn.Module):
    """Turns the encoder's final states into the decoder's first, layer by layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.encoder_width
        self.copies = config.bridge == "copy"
        self.sources = [] if self.copies else config.bridge_sources
        self.hidden = nn.ModuleList(
            nn.Linear(width, config.decoder_hidden_size) for _ in self.sources
        )
        self.cell = nn.ModuleList(
            nn.Linear(width, config.decoder_hidden_size) for _ in self.sources
        )
        self.context = (
            nn.Linear(2 * config.encoder_layers * width, config.context_size)
            if config.context_size
            else None
        )
        self.dropout = nn.Dropout(config.layer_dropout)

    def forward(self, finals: LSTMState) -> DecoderState:
        """Final states [encoder layers, B, W] -> decoder state of B rows."""
        return DecoderState(self._initial(finals), self._context(finals))

    def _initial(self, finals: LSTMState) -> LSTMState:
        if self.copies:
            return finals
        # h is bounded by 1 as an output of tanh must be; c is not.
        hidden = [
            torch.tanh(linear(finals.hidden[source]))
            for linear, source in zip(self.hidden, self.sources, strict=True)
        ]
        # Of the weights' type: the memory is not kept in bf16.
        cell = [
            linear(finals.cell[source]).to(linear.weight.dtype)
            for linear, source in zip(self.cell, self.sources, strict=True)
        ]
        return LSTMState(torch.stack(hidden), torch.stack(cell))

    def _context(self, finals: LSTMState) -> Tensor:
        if self.context is None:
            return finals.hidden.new_zeros(finals.hidden.shape[1], 0)
        everything = torch.cat([*finals.hidden, *finals.cell], dim=-1)
        context: Tensor = self.dropout(torch.tanh(self.context(everything)))
        return context
