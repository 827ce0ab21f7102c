"""[model]: sizes and parts of the network, and which of them go together.

Knows shapes. Does not know vocabularies, nor what a model is for.
"""

from __future__ import annotations

import operator
from itertools import accumulate
from typing import Literal, Self

from pydantic import Field, model_validator

from mt.config.options import Options
from mt.config.variant import Variant


def _is_none(value: str) -> bool:
    return value == "none"


class ModelConfig(Options):
    """[model]: the encoder-decoder. Sizes are numbers of units."""

    embedding_size: int = Field(256, ge=1, le=4096)
    """Width of the token embeddings."""
    source_embedding_std: float = Field(0.0, ge=0, le=10, exclude_if=operator.not_)
    """Standard deviation of the source embedding's initial entries; 0 is embedding_size ** -0.5,
    which leaves an encoder nearly linear at first. With 1 its gates answer to pairs of tokens from
    the start, as where two names have to be the same."""
    encoder_hidden_size: int = Field(256, ge=1, le=8192)
    """Width of the encoder's hidden and cell state, per direction."""
    encoder_layers: int = Field(2, ge=0, le=16)
    """Stacked LSTM layers of the encoder; 0 makes a language model, whose decoder starts from
    zeros, and which no other option of an encoder has a meaning for."""
    bidirectional: bool = True
    """Read the source in both directions (Schuster and Paliwal 1997)."""
    reverse_source: bool = False
    """Feed the source last token first (Sutskever et al. 2014, 3.3); not with `bidirectional`."""
    reverse_target: bool = Field(False, exclude_if=operator.not_)
    """Write the target last token first: a right-to-left model, which makes other mistakes than a
    left-to-right one and can rescore its hypotheses (Liu et al. 2016). Text goes in and comes out
    in its own order; no translation can be made to begin with a prefix."""
    decoder_hidden_size: int = Field(512, ge=1, le=8192)
    """Width of the decoder's hidden and cell state."""
    decoder_layers: int = Field(2, ge=1, le=16)
    """Stacked LSTM layers of the decoder."""
    bridge: Literal["copy", "linear"] = "linear"
    """How the encoder's final states become the decoder's first: copied layer by layer (Sutskever
    et al. 2014; sizes and layers must match) or through one learned map per layer and state, with
    tanh for the hidden state."""
    context_size: int = Field(512, ge=0, le=8192)
    """Width of a summary of all final states that is fed to the decoder at every step (Cho et al.
    2014); 0 leaves the initial states as the only thing the decoder sees of the source."""
    attention: Literal["none", "dot", "general", "additive"] = Field("none", exclude_if=_is_none)
    """Let the output look back at every source position, weighted by its fit to the top decoder
    state: dot and general (Luong et al. 2015, 3.1), additive (Bahdanau et al. 2015, A.1.2); nothing
    is fed back into the decoder. dot takes a decoder as wide as the encoder, both directions
    counted. none leaves the final states as all that the decoder sees. A training step takes about
    1.1 times as long on a CPU, with additive 1.4 times."""
    deep_output: bool = True
    """Compare with every piece a map of hidden state, context and input embedding (Bahdanau et al.
    2015, A.2.2, without its maxout); false compares the hidden state itself (Sutskever et al. 2014,
    2), which takes a decoder as wide as the embeddings, or, with attention, the attentional state
    tanh(W [h; c]) (Luong et al. 2015, eq. 5)."""
    tied_output: bool = True
    """Use the target embedding as the output layer (Press and Wolf 2017)."""
    forget_bias: float = Field(1.0, ge=-10, le=10)
    """Initial bias of every forget gate (Gers et al. 2000; Jozefowicz et al. 2015)."""
    chrono_length: int = Field(0, ge=0, le=100_000)
    """Longest expected dependency in steps, at least 3: each unit draws from up to it how long it
    remembers at first (chrono initialisation; Tallec and Ollivier 2018, 2), which replaces
    `forget_bias`; 0 is off. Costs no time."""
    output_tanh: bool = True
    """Squash the cell on its way out, h = o * tanh(c); false gives h = o * c (Greff et al. 2017,
    IV.C, NOAF), which has no bound unless `coupled_gates` gives it one. False leaves the fused
    path: a training step of the layers takes about 1.9 times as long on a CPU."""
    coupled_gates: bool = False
    """Forget as much as is written, f = 1 - i, without parameters for f (Greff et al. 2017, IV.C,
    CIFG). Leaves the fused path: a training step of the layers takes about 1.4 times as long on a
    CPU."""
    peepholes: bool = False
    """Let the gates see the cell, each unit its own (Gers and Schmidhuber 2000; Graves 2013, eqs.
    7-11). Leaves the fused path: a training step of the layers takes about 2 times as long on a
    CPU."""
    layer_norm: bool = False
    """Normalise what the gates sum up and the cell that is shown (Ba et al. 2016, supplement).
    Leaves the fused path: a training step of the layers takes about 2.1 times as long on a CPU."""
    residual: bool = False
    """Add to the output of a layer its input (He et al. 2016; Wu et al. 2016, 3.1), from the second
    layer on: the first has another width below it. States stay as they are, so in an encoder
    without attention, of which nothing else is kept, it takes three layers to matter."""
    embedding_dropout: float = Field(0.2, ge=0, lt=1)
    """Share of embedding units dropped, one mask per sequence (Gal and Ghahramani 2016)."""
    layer_dropout: float = Field(0.2, ge=0, lt=1)
    """Share of units dropped between layers, of the summary that `context_size` feeds, and of what
    attention looks back at, one mask per sequence."""
    weight_drop: float = Field(0.0, ge=0, lt=1)
    """Share of the weights between hidden states dropped, one mask per batch (DropConnect; Merity
    et al. 2018, 2)."""
    output_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of units dropped before the output layer, one mask per sequence."""
    word_dropout: float = Field(0.1, ge=0, lt=1)
    """Share of input tokens replaced by the unknown token on both sides (Iyyer et al. 2015;
    Bowman et al. 2016)."""

    @property
    def variant(self) -> Variant:
        """Which equations the memory cells follow."""
        return Variant(self.output_tanh, self.coupled_gates, self.peepholes, self.layer_norm)

    @property
    def encoder_width(self) -> int:
        """Units of the encoder's state, both directions counted."""
        return self.encoder_hidden_size * (2 if self.bidirectional else 1)

    @property
    def bridge_sources(self) -> list[int]:
        """For each decoder layer the encoder layer whose final states it begins with.

        A decoder deeper than the encoder gets the encoder's top layer for its own upper ones, a
        shallower one gets the encoder's upper layers: the top layer, which has read all the others,
        is never left out.
        """
        top, first = self.encoder_layers - 1, max(self.encoder_layers - self.decoder_layers, 0)
        return [min(first + depth, top) for depth in range(self.decoder_layers)]

    @property
    def readout_columns(self) -> dict[str, slice]:
        """What the readout's map is given, in order, and in which of its columns; {} without one.

        The parts are the top layer's `hidden` state and, by configuration, `context`, what
        `attention` finds, and the `embedding` of the token before.
        """
        widths = {"hidden": self.decoder_hidden_size}
        if self.deep_output:
            widths["context"] = self.context_size
        if self.attention != "none":
            widths["attention"] = self.encoder_width
        if self.deep_output:
            widths["embedding"] = self.embedding_size
        if len(widths) == 1:
            return {}
        ends = accumulate(widths.values())
        return {
            part: slice(end - widths[part], end) for part, end in zip(widths, ends, strict=True)
        }

    @property
    def readout_size(self) -> int:
        """Columns of the readout's map; 0 without one."""
        return max((columns.stop for columns in self.readout_columns.values()), default=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.encoder_layers == 0:
            self._reads_no_source()
        if self.bidirectional and self.reverse_source:
            raise ValueError("reverse_source needs bidirectional = false")
        if self.chrono_length in (1, 2):
            raise ValueError(f"chrono_length is 0 or at least 3 (found {self.chrono_length})")
        if self.chrono_length and self.forget_bias != 1.0:
            raise ValueError(
                "chrono_length sets the forget biases: leave forget_bias at 1.0 "
                f"(found {self.forget_bias})"
            )
        if self.layer_norm and min(self.encoder_hidden_size, self.decoder_hidden_size) < 2:
            raise ValueError(
                "layer_norm needs hidden sizes of at least 2 "
                f"(found {self.encoder_hidden_size} and {self.decoder_hidden_size})"
            )
        least = 3 if self.attention == "none" else 2
        if self.residual and self.encoder_layers < least and self.decoder_layers < 2:
            raise ValueError(
                f"residual needs {least} encoder layers or 2 decoder layers "
                f"(found {self.encoder_layers} and {self.decoder_layers})"
            )
        if not self.readout_size and self.decoder_hidden_size != self.embedding_size:
            raise ValueError(
                "deep_output = false without attention needs a decoder as wide as the embeddings "
                f"(found {self.decoder_hidden_size} and {self.embedding_size})"
            )
        if self.attention == "dot" and self.decoder_hidden_size != self.encoder_width:
            raise ValueError(
                'attention = "dot" needs a decoder as wide as the encoder, both directions counted '
                f"(found {self.decoder_hidden_size} and {self.encoder_width}); general and "
                "additive do not"
            )
        if self.bridge == "copy":
            width = self.encoder_width
            if (self.encoder_layers, width) != (self.decoder_layers, self.decoder_hidden_size):
                raise ValueError(
                    'bridge = "copy" needs equal layers and widths: the encoder has '
                    f"{self.encoder_layers} layers of {width}, the decoder {self.decoder_layers} "
                    f"of {self.decoder_hidden_size}"
                )
        return self

    def _reads_no_source(self) -> None:
        nothing = {
            "source_embedding_std": 0,
            "context_size": 0,
            "attention": "none",
            "bridge": "linear",
        }
        for name, needed in {**nothing, "reverse_target": False}.items():
            if (found := getattr(self, name)) != needed:
                raise ValueError(
                    f"encoder_layers = 0, a language model, needs {name} = "
                    f"{str(needed).lower()} (found {str(found).lower()})"
                )
