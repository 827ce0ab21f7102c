"""The parts put together to models: an encoder-decoder, or a decoder alone.

Knows what each kind starts from, and the output layer, which all have. Does not know what a state
or a readout is made of.

Shapes: B sentences, S source positions, T target positions, N rows (sentences or hypotheses),
E embedding, V pieces.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mt.config import ModelConfig
from mt.model.bridge import Bridge
from mt.model.decoder import Decoder, DecoderState
from mt.model.encoder import Encoder, EncoderOutput, reverse_each
from mt.model.layers import make_embedding


class Model(nn.Module, ABC):
    """A decoder with its output layer; what it starts from is for each kind of model to say.

    `encode` then `step` by `step` to write; `forward` to train.
    """

    def __init__(
        self,
        config: ModelConfig,
        target_size: int,
        encoder: Encoder | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        super().__init__()
        # First: an optimiser's state tells parameters by their order.
        if encoder is not None:
            self.encoder = encoder
        if bridge is not None:
            self.bridge = bridge
        self.decoder = Decoder(config, target_size)
        self.output_bias = nn.Parameter(torch.zeros(target_size))
        self.separate_output = (
            None
            if config.tied_output
            else make_embedding(target_size, config.embedding_size).weight
        )

    @property
    def output_weight(self) -> Tensor:
        """[V, E]: the output layer, which is the target embedding where they are tied."""
        if self.separate_output is not None:
            return self.separate_output
        weight: Tensor = self.decoder.embedding.weight
        return weight

    @abstractmethod
    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """source [B, S] padded at the end, lengths [B] on the CPU -> decoder state of B rows."""

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

    def __init__(self, config: ModelConfig, source_size: int, target_size: int) -> None:
        super().__init__(config, target_size, Encoder(config, source_size), Bridge(config))

    def encode(self, source: Tensor, lengths: Tensor) -> DecoderState:
        """As `Model.encode`."""
        reading: EncoderOutput = self.encoder(source, lengths)
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
