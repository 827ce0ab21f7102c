"""The encoder-decoder: source tokens to final states, final states to target tokens.

Knows token ids, layers and states. Does not know text, losses or search.

    source ids -> Encoder -> final (h, c) by layer -> Bridge -> DecoderState -> Decoder -> logits

A language model is a Decoder alone, from zeros; `Model` is what the two have in common. Else all
that the decoder learns about the source passes through the fixed-size DecoderState
(Sutskever, Vinyals and Le 2014), unless attention is asked for: then the output looks back at the
encoder's states at every source position too, which the DecoderState takes along.

Shapes: B sentences, S source positions, T target positions, N rows (sentences or hypotheses),
E embedding, H decoder width, L layers, W encoder width (directions x hidden), C context, V pieces.
Sequences run time first inside the layers, sentence first outside.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.attention import Attended, Attention, Memory
from mt.config import ModelConfig
from mt.lstm import LSTM, STANDARD, Layer, LoopedLSTM, LSTMState, Variant
from mt.tokens import END, UNKNOWN


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


class Reading(NamedTuple):
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
        self.embedding = _embedding(
            vocabulary_size, config.embedding_size, config.source_embedding_std
        )
        self.embedding_dropout = LockedDropout(config.embedding_dropout)
        self.word_dropout = WordDropout(config.word_dropout)
        width = config.encoder_hidden_size * (2 if config.bidirectional else 1)
        self.layers = nn.ModuleList(
            _lstm(
                config,
                config.embedding_size if layer == 0 else width,
                config.encoder_hidden_size,
                bidirectional=config.bidirectional,
            )
            for layer in range(config.encoder_layers)
        )
        self.residual = config.residual
        self.layer_dropout = LockedDropout(config.layer_dropout)

    def forward(self, source: Tensor, lengths: Tensor) -> LSTMState:
        """source [B, S] padded at the end, lengths [B] on the CPU -> final states [L, B, W]."""
        return self.read(source, lengths).finals

    def read(self, source: Tensor, lengths: Tensor) -> Reading:
        """source [B, S] padded at the end, lengths [B] on the CPU -> all states of the top."""
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
        return Reading(
            inputs,
            LSTMState(
                torch.stack([_join_directions(state.hidden) for state in finals]),
                torch.stack([_join_directions(state.cell) for state in finals]),
            ),
        )


class Bridge(nn.Module):
    """Turns the encoder's final states into the decoder's first, layer by layer.

    A decoder deeper than the encoder gets the encoder's top layer for its own upper ones, a
    shallower one gets the encoder's upper layers: the top layer, which has read all the others,
    is never left out.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.encoder_hidden_size * (2 if config.bidirectional else 1)
        self.copies = config.bridge == "copy"
        depth = 0 if self.copies else config.decoder_layers
        top = config.encoder_layers - 1
        first = max(config.encoder_layers - config.decoder_layers, 0)
        self.sources = [min(first + layer, top) for layer in range(depth)]
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
        self.embedding = _embedding(vocabulary_size, config.embedding_size)
        self.embedding_dropout = LockedDropout(config.embedding_dropout)
        self.word_dropout = WordDropout(config.word_dropout)
        self.layers = nn.ModuleList(
            _lstm(
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
        self.readout = _readout(config)
        self.output_dropout = LockedDropout(config.output_dropout)

    def zero_state(self, rows: int) -> DecoderState:
        """States of zeros, and nothing to look back at."""
        zeros = self.embedding.weight.new_zeros(len(self.layers), rows, self.hidden_size)
        return DecoderState(LSTMState(zeros, zeros), zeros.new_zeros(rows, 0))

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
        parts = [run.outputs]
        if self.deep_output:
            parts.append(run.context)
        if self.attention is not None:
            parts.append(self.look_back(run, memory).context.transpose(0, 1))
        if self.deep_output:
            parts.append(run.embedded)
        readout: Tensor = self.readout(torch.cat(parts, dim=-1))
        return readout if self.deep_output else torch.tanh(readout)


class Model(nn.Module):
    """A decoder with its output layer; what it starts from is for each kind of model to say.

    `encode` then `step` by `step` to write; `forward` to train.
    """

    def __init__(self, config: ModelConfig, target_size: int, **before: nn.Module) -> None:
        """`before` are the parts that come before the decoder, by name, the first of them first:
        an optimiser's state tells parameters by their order."""
        super().__init__()
        for name, part in before.items():
            self.add_module(name, part)
        self.decoder = Decoder(config, target_size)
        self.output_bias = nn.Parameter(torch.zeros(target_size))
        self.separate_output = (
            None if config.tied_output else _embedding(target_size, config.embedding_size).weight
        )

    @property
    def output_weight(self) -> Tensor:
        """[V, E]: the output layer, which is the target embedding where they are tied."""
        if self.separate_output is not None:
            return self.separate_output
        weight: Tensor = self.decoder.embedding.weight
        return weight

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """source [B, S] padded at the end, lengths [B] on the CPU -> decoder state of B rows."""
        raise NotImplementedError

    def step(self, previous: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """previous [N], state of N rows -> logits [N, V], the state after the step."""
        readout, state = self.decoder.step(previous, state)
        return self.logits(readout), state

    def logits(self, readout: Tensor) -> Tensor:
        """readout [..., E] -> [..., V]"""
        return nn.functional.linear(readout, self.output_weight, self.output_bias)

    def forward(self, source: Tensor, lengths: Tensor, previous: Tensor) -> Tensor:
        """source [B, S], lengths [B] on the CPU, previous [B, T] -> readouts [T, B, E]."""
        readouts: Tensor = self.decoder(previous, self.encode(source, lengths))
        return readouts


class DecoderOnly(Model):
    """A language model: the decoder starts from zeros, whatever the source (Mikolov et al. 2010;
    Sundermeyer et al. 2012)."""

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """As `Model.encode`; of the source only the number of rows matters."""
        return self.decoder.zero_state(len(source))


class Seq2Seq(Model):
    """The encoder-decoder: the decoder starts from what the encoder has read."""

    encoder: Encoder
    bridge: Bridge

    def __init__(self, config: ModelConfig, source_size: int, target_size: int) -> None:
        reads = {"encoder": Encoder(config, source_size), "bridge": Bridge(config)}
        super().__init__(config, target_size, **reads)

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """As `Model.encode`."""
        reading = self.encoder.read(source, lengths)
        state: DecoderState = self.bridge(reading.finals)
        if self.decoder.attention is None:
            return state
        states = reading.states.transpose(0, 1)
        if self.encoder.reverse:
            states = reverse_each(states, lengths)
        return state._replace(memory=self.decoder.remember(states, lengths))

    def attention_weights(self, source: Tensor, lengths: Tensor, previous: Tensor) -> Tensor:
        """source [B, S], lengths [B] on the CPU, previous [B, T] -> weights [B, T, S].

        Row t says where the output looked for the token behind previous[:, t]: weights over the
        source in its own order, which sum to 1. Only of a model with attention.
        """
        state = self.encode(source, lengths)
        run = self.decoder.run(previous, state)
        return self.decoder.look_back(run, state.memory).weights


def make_model(config: ModelConfig, source_size: int, target_size: int) -> Model:
    """The kind of model that a configuration describes, for vocabularies of these sizes."""
    if config.encoder_layers == 0:
        return DecoderOnly(config, target_size)
    return Seq2Seq(config, source_size, target_size)


class LockedDropout(nn.Module):
    """Dropout with one mask per sequence, the same at every step (Gal and Ghahramani 2016).

    Also T times cheaper in random numbers than a mask per step.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, inputs: Tensor) -> Tensor:
        """inputs [T, N, F] -> [T, N, F]"""
        if not self.training or self.rate == 0:
            return inputs
        keep = 1 - self.rate
        mask = torch.empty_like(inputs[0]).bernoulli_(keep).div_(keep)
        return inputs * mask


class WordDropout(nn.Module):
    """Replaces whole tokens by the unknown token; leaves padding, begin and end alone."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, T] -> [B, T]"""
        if not self.training or self.rate == 0:
            return tokens
        hit = torch.rand(tokens.shape, device=tokens.device) < self.rate
        return tokens.masked_fill(hit & (tokens > END), UNKNOWN)


def reverse_each(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Turn round each row of [B, S, ...] within its own length; padding stays at the end."""
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    mirrored = lengths.to(tokens.device)[:, None] - 1 - positions
    rows = torch.arange(len(tokens), device=tokens.device)[:, None]
    return tokens[rows, torch.where(mirrored >= 0, mirrored, positions)]


def _readout(config: ModelConfig) -> nn.Linear | None:
    """The map onto the embeddings' width; None where the hidden state itself is compared."""
    inputs = config.decoder_hidden_size
    if config.attention != "none":
        inputs += config.encoder_width
    elif not config.deep_output:
        return None
    if config.deep_output:
        inputs += config.context_size + config.embedding_size
    return nn.Linear(inputs, config.embedding_size)


def _lstm(
    config: ModelConfig, input_size: int, hidden_size: int, *, bidirectional: bool = False
) -> Layer:
    """One layer, on the fused path where the configuration asks for the standard equations."""
    variant = Variant(
        output_tanh=config.output_tanh,
        coupled_gates=config.coupled_gates,
        peepholes=config.peepholes,
        layer_norm=config.layer_norm,
    )
    layer = LSTM if variant == STANDARD else partial(LoopedLSTM, variant=variant)
    return layer(
        input_size,
        hidden_size,
        bidirectional=bidirectional,
        forget_bias=config.forget_bias,
        chrono_length=config.chrono_length,
        weight_drop=config.weight_drop,
    )


def _embedding(size: int, width: int, std: float = 0.0) -> nn.Embedding:
    embedding = nn.Embedding(size, width)
    nn.init.normal_(embedding.weight, std=std or width**-0.5)
    return embedding


def _join_directions(states: Tensor) -> Tensor:
    """[D, B, H] -> [B, D*H]"""
    return torch.cat([*states], dim=-1)
