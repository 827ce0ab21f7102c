"""The name and shape of every parameter that a bundle stores, told from its configuration.

Knows how the modules of `mt.model` and `mt.lstm` name their parameters, so that weights can be
checked, and used, without torch. A test holds it to what those modules have.

Shapes: E embedding, H hidden units, G gates that have parameters, D directions, W encoder width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.config import STANDARD, ModelConfig
from mt.errors import BundleError

Shape = tuple[int, ...]


def parameter_shapes(config: ModelConfig, source_size: int, target_size: int) -> dict[str, Shape]:
    """Name and shape of every parameter of a model with vocabularies of these sizes."""
    E, width = config.embedding_size, config.decoder_hidden_size
    shapes: dict[str, Shape] = {
        "decoder.embedding.weight": (target_size, E),
        "output_bias": (target_size,),
    }
    if config.encoder_layers:
        shapes["encoder.embedding.weight"] = (source_size, E)
        shapes |= _encoder_layers(config) | _bridge(config)
    for depth in range(config.decoder_layers):
        inputs = E + config.context_size if depth == 0 else width
        shapes |= _layer(config, f"decoder.layers.{depth}", inputs, width, directions=1)
    shapes |= _attention(config)
    if config.readout_size:
        shapes |= _linear("decoder.readout", config.readout_size, E)
    if not config.tied_output:
        shapes["separate_output"] = (target_size, E)
    return shapes


def check_shapes(weights: Mapping[str, NDArray[Any]], expected: Mapping[str, Shape]) -> None:
    """Refuse weights that are not those of a model.

    Raises:
        BundleError: one is missing, too many or of another shape.
    """
    for name in sorted(expected.keys() | weights.keys()):
        found = tuple(weights[name].shape) if name in weights else None
        if found != expected.get(name):
            raise BundleError(
                f"the weights do not fit the configuration: {name} has shape "
                f"{found or 'none'}, expected {expected.get(name, 'none')}"
            )


def check_finite(weights: Mapping[str, NDArray[Any]]) -> None:
    """Refuse weights that nothing can be computed with.

    Raises:
        BundleError: one is not a finite number.
    """
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise BundleError(f"{name} holds a number that is not finite")


def _encoder_layers(config: ModelConfig) -> dict[str, Shape]:
    directions = 2 if config.bidirectional else 1
    hidden = config.encoder_hidden_size
    shapes: dict[str, Shape] = {}
    for depth in range(config.encoder_layers):
        inputs = config.embedding_size if depth == 0 else config.encoder_width
        shapes |= _layer(config, f"encoder.layers.{depth}", inputs, hidden, directions)
    return shapes


def _bridge(config: ModelConfig) -> dict[str, Shape]:
    width = config.encoder_width
    shapes: dict[str, Shape] = {}
    if config.bridge == "linear":
        for depth in range(config.decoder_layers):
            for state in ("hidden", "cell"):
                shapes |= _linear(f"bridge.{state}.{depth}", width, config.decoder_hidden_size)
    if config.context_size:
        shapes |= _linear("bridge.context", 2 * config.encoder_layers * width, config.context_size)
    return shapes


def _attention(config: ModelConfig) -> dict[str, Shape]:
    H, W = config.decoder_hidden_size, config.encoder_width
    shapes: dict[str, dict[str, Shape]] = {
        "general": {"W_a": (H, W)},
        "additive": {"W_a": (H, H), "U_a": (H, W), "v_a": (H,)},
    }
    found = shapes.get(config.attention, {})
    return {f"decoder.attention.{name}": shape for name, shape in found.items()}


def _layer(
    config: ModelConfig, name: str, inputs: int, hidden: int, directions: int
) -> dict[str, Shape]:
    if config.variant != STANDARD:
        return {
            f"{name}.{parameter}": (directions, *shape)
            for parameter, shape in _looped(config, inputs, hidden)
        }
    parameters = {"weight_ih": (4 * hidden, inputs), "weight_hh": (4 * hidden, hidden)}
    return {
        f"{name}.fused.{parameter}_l0{suffix}": shape
        for suffix in ("", "_reverse")[:directions]
        for parameter, shape in (parameters | {"bias_ih": (4 * hidden,)}).items()
    }


def _looped(config: ModelConfig, inputs: int, hidden: int) -> Iterator[tuple[str, Shape]]:
    gates = len(config.variant.gates)
    yield "weight_ih", (gates * hidden, inputs)
    yield "weight_hh", (gates * hidden, hidden)
    yield "bias", (gates * hidden,)
    if seeing := config.variant.seeing:
        yield "peephole", (len(seeing) * hidden,)
    if config.layer_norm:
        yield "gain_ih", (gates * hidden,)
        yield "gain_hh", (gates * hidden,)
        yield "gain_cell", (hidden,)
        yield "shift_cell", (hidden,)


def _linear(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
