"""What each token and each context give the gates, computed before any sentence is read.

Knows embeddings and the input weights of the first layers. Does not know graphs: a step looks the
rows up and adds them, in place of a product.

Shapes: E embedding width, C context width, H hidden units, G gates that have parameters, V pieces
of the target, F = G*H (+ E with a deep output).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.config import ModelConfig
from mt.engine.layers import Floats, LayerWeights, Weights, as_float, read_layer
from mt.errors import BundleError

TABLE: Any = np.float16
"""Type of the numbers in a table; half the size for a relative error of 1 / 2048."""

_ROWS = 256
"""Rows computed at once, so that little memory is needed besides the table."""


class Table(NamedTuple):
    """What each token gives, as a product that is still to be computed."""

    embedding: NDArray[Any]
    """[pieces, E]"""
    share: NDArray[Any]
    """[E, F]"""
    bias: Floats
    """[F]"""

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.embedding), len(self.bias)

    def write(self, table: NDArray[Any]) -> None:
        """Compute it into an array [pieces, F] of type TABLE.

        Raises:
            BundleError: a sum is too large for that type; no trained model comes near.
        """
        share = as_float(self.share)
        for start in range(0, len(table), _ROWS):
            part = slice(start, start + _ROWS)
            with np.errstate(over="ignore"):
                table[part] = as_float(self.embedding[part]) @ share + self.bias
        if not np.isfinite(table).all():
            raise BundleError(f"the weights give sums beyond {np.finfo(TABLE).max:,.0f}")


def source_table(config: ModelConfig, weights: Weights) -> Table:
    """[source pieces, directions * G*H]: what each token gives the encoder's first layer."""
    layers = read_layer(weights, "encoder.layers.0", config)
    shares = np.concatenate([layer.W_x for layer in layers], axis=1)
    bias = np.concatenate([_table_bias(layer) for layer in layers])
    return Table(weights["encoder.embedding.weight"], shares, bias)


def target_table(config: ModelConfig, weights: Weights) -> Table:
    """[V, F]: what each token gives the decoder's first layer, and the deep output."""
    layer = read_layer(weights, "decoder.layers.0", config)[0]
    share, bias = layer.W_x[: config.embedding_size], _table_bias(layer)
    if config.deep_output:
        readout = weights["decoder.readout.weight"].T[config.readout_columns["embedding"]]
        share = np.concatenate([share, readout], axis=1)
        bias = np.concatenate([bias, as_float(weights["decoder.readout.bias"])])
    return Table(weights["decoder.embedding.weight"], share, bias)


def context_share(config: ModelConfig, weights: Weights) -> NDArray[Any]:
    """[C, F]: by which the context gives its share to the first layer and the deep output."""
    layer = read_layer(weights, "decoder.layers.0", config)[0]
    gates = layer.W_x[config.embedding_size :]
    if not config.deep_output:
        return gates
    readout = weights["decoder.readout.weight"].T[config.readout_columns["context"]]
    return np.concatenate([gates, readout], axis=1)


def _table_bias(layer: LayerWeights) -> Floats:
    return layer.bias if layer.gain_x is None else np.zeros_like(layer.bias)
