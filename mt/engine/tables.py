"""What each token and each context give the gates, computed before any sentence is read.

Knows embeddings and the input weights of the first layers. Does not know graphs: a step looks the
rows up and adds them, in place of a product.

Shapes: E embedding width, C context width, H hidden units, G gates that have parameters, V pieces
of the target, F = G*H (+ E with a deep output).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.config import ModelConfig
from mt.engine.layers import Floats, LayerWeights, Weights, as_float, read_layer
from mt.errors import BundleError

TABLE: Any = np.float16
"""Type of the numbers in a table; half the size for a relative error of 1 / 2048."""

_ROWS = 256
"""Rows computed at once, so that little memory is needed besides the table."""


def source_table(config: ModelConfig, weights: Weights) -> NDArray[Any]:
    """[source pieces, directions * G*H]: what each token gives the encoder's first layer."""
    layers = read_layer(weights, "encoder.layers.0", config)
    shares = np.concatenate([layer.W_x for layer in layers], axis=1)
    bias = np.concatenate([_table_bias(layer) for layer in layers])
    return _table(weights["encoder.embedding.weight"], shares, bias)


def target_table(config: ModelConfig, weights: Weights) -> NDArray[Any]:
    """[V, F]: what each token gives the decoder's first layer, and the deep output."""
    layer = read_layer(weights, "decoder.layers.0", config)[0]
    share, bias = layer.W_x[: config.embedding_size], _table_bias(layer)
    if config.deep_output:
        readout = weights["decoder.readout.weight"].T[-config.embedding_size :]
        share = np.concatenate([share, readout], axis=1)
        bias = np.concatenate([bias, as_float(weights["decoder.readout.bias"])])
    return _table(weights["decoder.embedding.weight"], share, bias)


def context_share(config: ModelConfig, weights: Weights) -> NDArray[Any]:
    """[C, F]: by which the context gives its share to the first layer and the deep output."""
    layer = read_layer(weights, "decoder.layers.0", config)[0]
    gates = layer.W_x[config.embedding_size :]
    if not config.deep_output:
        return gates
    readout = weights["decoder.readout.weight"].T
    H, C = config.decoder_hidden_size, config.context_size
    return np.concatenate([gates, readout[H : H + C]], axis=1)


def _table_bias(layer: LayerWeights) -> Floats:
    return layer.bias if layer.gain_x is None else np.zeros_like(layer.bias)


def _table(embedding: NDArray[Any], share: NDArray[Any], bias: Floats) -> NDArray[Any]:
    """embedding [pieces, E] times share [E, F] plus bias, a part at a time to save memory.

    Raises:
        BundleError: a sum is too large for the table's type; no trained model comes near.
    """
    share = as_float(share)
    table = np.empty((len(embedding), len(bias)), TABLE)
    for start in range(0, len(table), _ROWS):
        part = slice(start, start + _ROWS)
        with np.errstate(over="ignore"):
            table[part] = as_float(embedding[part]) @ share + bias
    if not np.isfinite(table).all():
        raise BundleError(f"the weights give sums beyond {np.finfo(TABLE).max:,.0f}")
    return table
