"""The stored parameters of a model's LSTM layers, as one record a direction whatever the cell.

Knows how `mt.lstm` names and stacks its parameters, and reads them without torch. Does not know
what is computed with them.

Shapes: I inputs, H hidden units, G gates that have parameters, the candidate among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.config import STANDARD, ModelConfig

Floats = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]
"""Parameters by their name in the model, as a bundle stores them."""

FUSED_ORDER = "ifco"
"""In which order torch.nn.LSTM stacks the gates."""


class LayerWeights(NamedTuple):
    """One direction of one layer. Gates stand side by side in the order of `gates`."""

    gates: str
    """The letters that have parameters: ifoc, or ioc where the gates are coupled."""
    W_x: NDArray[Any]
    """[I, G*H], in the precision in which it is stored, as W_h."""
    W_h: NDArray[Any]
    """[H, G*H]"""
    bias: Floats
    """[G*H]"""
    peepholes: Mapping[str, Floats]
    """[H] by letter; empty without."""
    gain_x: Floats | None
    """[G*H]; None without layer normalisation, as the three below."""
    gain_h: Floats | None
    gain_cell: Floats | None
    """[H]"""
    shift_cell: Floats | None

    @property
    def hidden_size(self) -> int:
        return len(self.W_h)


def read_layer(weights: Weights, prefix: str, config: ModelConfig) -> list[LayerWeights]:
    """The directions of the layer whose parameters' names begin so, forward first."""
    if f"{prefix}.fused.weight_ih_l0" in weights:
        suffixes = ("_l0", "_l0_reverse")
        return [
            _fused(weights, f"{prefix}.fused.", suffix)
            for suffix in suffixes
            if f"{prefix}.fused.weight_ih{suffix}" in weights
        ]
    directions = len(weights[f"{prefix}.bias"])
    return [_looped(weights, prefix, direction, config) for direction in range(directions)]


def read_encoder(config: ModelConfig, weights: Weights) -> list[list[LayerWeights]]:
    """The encoder's layers from below, each with its directions."""
    depths = range(config.encoder_layers)
    return [read_layer(weights, f"encoder.layers.{depth}", config) for depth in depths]


def read_decoder(config: ModelConfig, weights: Weights) -> list[LayerWeights]:
    """The decoder's layers from below."""
    depths = range(config.decoder_layers)
    return [read_layer(weights, f"decoder.layers.{depth}", config)[0] for depth in depths]


def as_float(array: NDArray[Any]) -> Floats:
    return array.astype(np.float32)


def _fused(weights: Weights, prefix: str, suffix: str) -> LayerWeights:
    gates = STANDARD.gates
    order = [FUSED_ORDER.index(gate) for gate in gates]

    def reordered(name: str) -> NDArray[Any]:
        stacked = weights[f"{prefix}{name}{suffix}"]
        return np.concatenate([np.split(stacked, len(gates))[place] for place in order])

    return LayerWeights(
        gates,
        W_x=reordered("weight_ih").T,
        W_h=reordered("weight_hh").T,
        bias=as_float(reordered("bias_ih")),
        peepholes={},
        gain_x=None,
        gain_h=None,
        gain_cell=None,
        shift_cell=None,
    )


def _looped(weights: Weights, prefix: str, direction: int, config: ModelConfig) -> LayerWeights:
    gates, seeing = config.variant.gates, config.variant.seeing

    def read(name: str) -> Floats | None:
        stacked = weights.get(f"{prefix}.{name}")
        return None if stacked is None else as_float(stacked[direction])

    bias, peephole = read("bias"), read("peephole")
    assert bias is not None
    parts = [] if peephole is None else np.split(peephole, len(seeing))
    return LayerWeights(
        gates,
        weights[f"{prefix}.weight_ih"][direction].T,
        weights[f"{prefix}.weight_hh"][direction].T,
        bias,
        dict(zip(seeing, parts, strict=True)),
        *map(read, ("gain_ih", "gain_hh", "gain_cell", "shift_cell")),
    )
