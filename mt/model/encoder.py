"""Source tokens to the final states of every layer.

Knows how a source is read: in which order, in which directions, with what dropout. Does not know
what becomes of the states.

Shapes: B sentences, S source positions, E embedding, L layers, D directions, W = D x hidden.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.config import ModelConfig
from mt.lstm import LSTMState
from mt.model.layers import LockedDropout, WordDropout, lstm_layer, make_embedding


class EncoderOutput(NamedTuple):
    """What came of reading sources."""

    states: Tensor
    """[S, B, W]: of the top layer at each position, in the order in which it was read."""
    finals: LSTMState
    """[L, B, W] each: of every layer at its end."""


class Encoder(nn.Module):
    """Reads the source; without attention only each layer's final states are made use of."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.reverse = config.reverse_source
        self.embedding = make_embedding(
            vocabulary_size, config.embedding_size, config.source_embedding_std
        )
        self.embedding_dropout = LockedDropout(config.embedding_dropout)
        self.word_dropout = WordDropout(config.word_dropout)
        width = config.encoder_width
        self.layers = nn.ModuleList(
            lstm_layer(
                config,
                config.embedding_size if layer == 0 else width,
                config.encoder_hidden_size,
                bidirectional=config.bidirectional,
            )
            for layer in range(config.encoder_layers)
        )
        self.residual = config.residual
        self.layer_dropout = LockedDropout(config.layer_dropout)

    def forward(self, source: Tensor, lengths: Tensor) -> EncoderOutput:
        """source [B, S] padded at the end, lengths [B] on the CPU -> its states."""
        if self.reverse:
            source = reverse_each(source, lengths)
        inputs = self.embedding_dropout(self.embedding(self.word_dropout(source).T))
        finals = []
        for depth, layer in enumerate(self.layers):
            below = inputs
            if depth > 0:
                inputs = self.layer_dropout(inputs)
            inputs, state = layer(inputs, lengths=lengths)
            finals.append(state)
            if depth > 0 and self.residual:
                inputs = inputs + below
        return EncoderOutput(
            inputs,
            LSTMState(
                torch.stack([_join_directions(state.hidden) for state in finals]),
                torch.stack([_join_directions(state.cell) for state in finals]),
            ),
        )


def reverse_each(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Turn round each row of [B, S, ...] within its own length; padding stays at the end."""
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    mirrored = lengths.to(tokens.device)[:, None] - 1 - positions
    rows = torch.arange(len(tokens), device=tokens.device)[:, None]
    return tokens[rows, torch.where(mirrored >= 0, mirrored, positions)]


def _join_directions(states: Tensor) -> Tensor:
    """[D, B, H] -> [B, D*H]"""
    return torch.cat([*states], dim=-1)
