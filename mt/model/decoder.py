"""Target tokens to readouts, from a given state on: a whole target at once to train, or a step.

Knows its layers, and what its output is made of. Does not know where the state comes from, nor the
pieces that readouts are compared with.

Shapes: B sentences, T target positions, N rows (sentences or hypotheses), E embedding, H decoder
width, L layers, W encoder width, S source positions, C context.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.config import ModelConfig
from mt.lstm import Layer, LSTMState, zero_state
from mt.model.attention import Attended, Attention, Memory
from mt.model.layers import LockedDropout, WordDropout, lstm_layer, make_embedding


class DecoderState(NamedTuple):
    """Everything the decoder knows at a step. Row n belongs to hypothesis n."""

    lstm: LSTMState
    """[L, N, H] each."""
    context: Tensor
    """[N, C]: the summary fed at every step; C is 0 where the model has none."""
    memory: Memory | None = None
    """What attention looks back at; None without."""

    def select(self, rows: Tensor) -> DecoderState:
        """The state of the given rows, which may repeat and come in any order."""
        return DecoderState(
            self.lstm.select(rows),
            self.context.index_select(0, rows),
            self.memory and self.memory.select(rows),
        )


class Run(NamedTuple):
    """What the output of N rows over T steps is made of, besides what attention finds."""

    outputs: Tensor
    """[T, N, H]: states of the top layer."""
    context: Tensor
    """[T, N, C]"""
    embedded: Tensor
    """[T, N, E]: the inputs."""


class Decoder(nn.Module):
    """A language model over the target, started from the encoder's states or from zeros.

    Its output is a vector of embedding width, which the output layer compares with every piece: a
    map of hidden state, context, what attention finds and input embedding (the deep output of
    Bahdanau et al. 2015, A.2.2, without its maxout), or the hidden state itself, or with attention
    tanh(W [h; c]) (Luong et al. 2015, eq. 5).
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = make_embedding(vocabulary_size, config.embedding_size)
        self.embedding_dropout = LockedDropout(config.embedding_dropout)
        self.word_dropout = WordDropout(config.word_dropout)
        self.layers = nn.ModuleList(
            lstm_layer(
                config,
                config.embedding_size + config.context_size
                if layer == 0
                else config.decoder_hidden_size,
                config.decoder_hidden_size,
            )
            for layer in range(config.decoder_layers)
        )
        self.hidden_size = config.decoder_hidden_size
        self.residual = config.residual
        self.layer_dropout = LockedDropout(config.layer_dropout)
        self.attention = (
            Attention(config.attention, config.decoder_hidden_size, config.encoder_width)
            if config.attention != "none"
            else None
        )
        self.deep_output = config.deep_output
        self.readout_parts = tuple(config.readout_columns)
        self.readout = (
            nn.Linear(config.readout_size, config.embedding_size) if config.readout_size else None
        )
        self.output_dropout = LockedDropout(config.output_dropout)

    def zero_state(self, rows: int) -> DecoderState:
        """States of zeros, and nothing to look back at."""
        weight = self.embedding.weight
        lstm = zero_state(weight, len(self.layers), rows, self.hidden_size)
        return DecoderState(lstm, weight.new_zeros(rows, 0))

    def forward(self, previous: Tensor, state: DecoderState) -> Tensor:
        """previous [B, T], the target shifted right -> readouts [T, B, E]."""
        run = self.run(previous, state)
        readouts: Tensor = self.output_dropout(self._readout(run, state.memory))
        return readouts

    def run(self, previous: Tensor, state: DecoderState) -> Run:
        """previous [B, T], the target shifted right -> what the output is made of."""
        steps = previous.shape[1]
        embedded = self.embedding_dropout(self.embedding(self.word_dropout(previous).T))
        context = state.context.expand(steps, *state.context.shape)
        outputs = torch.cat([embedded, context], dim=-1)
        for depth, layer in enumerate(self.layers):
            below = outputs
            if depth > 0:
                outputs = self.layer_dropout(outputs)
            initial = LSTMState(state.lstm.hidden[depth, None], state.lstm.cell[depth, None])
            outputs, _ = layer(outputs, initial)
            if depth > 0 and self.residual:
                outputs = outputs + below
        return Run(outputs, context, embedded)

    def step(self, previous: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """previous [N], state of N rows -> readouts [N, E], the state after the step."""
        embedded = self.embedding(previous)
        output = torch.cat([embedded, state.context], dim=-1)
        after = []
        for depth, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            before = LSTMState(state.lstm.hidden[depth], state.lstm.cell[depth])
            after.append(layer.step(output, before))
            hidden = after[-1].hidden
            output = hidden + output if depth > 0 and self.residual else hidden
        run = Run(output[None], state.context[None], embedded[None])
        readout = self._readout(run, state.memory)[0]
        lstm = LSTMState(*(torch.stack(states) for states in zip(*after, strict=True)))
        return readout, state._replace(lstm=lstm)

    def remember(self, states: Tensor, lengths: Tensor) -> Memory:
        """The encoder's states [B, S, W], lengths [B] -> what there is to look back at."""
        assert self.attention is not None
        dropped = self.layer_dropout(states.transpose(0, 1)).transpose(0, 1)
        return self.attention.remember(dropped, lengths)

    def look_back(self, run: Run, memory: Memory | None) -> Attended:
        """What attention finds at each step."""
        assert self.attention is not None
        assert memory is not None
        attended: Attended = self.attention(run.outputs.transpose(0, 1), memory)
        return attended

    def _readout(self, run: Run, memory: Memory | None) -> Tensor:
        """[T, N, E]"""
        if self.readout is None:
            return run.outputs
        parts = {"hidden": run.outputs, "context": run.context, "embedding": run.embedded}
        if self.attention is not None:
            parts["attention"] = self.look_back(run, memory).context.transpose(0, 1)
        given = torch.cat([parts[part] for part in self.readout_parts], dim=-1)
        readout: Tensor = self.readout(given)
        return readout if self.deep_output else torch.tanh(readout)
