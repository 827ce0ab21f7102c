"""A model's parameters as a bundle stores them, and a model made of them again.

Knows which parameters are stored, and in which precision. Does not know files or engines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.errors import BundleError
from mt.model import Model, make_model
from mt.shapes import check_finite, check_shapes, parameter_shapes

Part = Literal["encoder", "decoder"]
_PARTS: dict[Part, tuple[str, ...]] = {
    "encoder": ("encoder.",),
    "decoder": ("decoder.", "output_bias", "separate_output"),
}
"""How the names of their parameters begin."""


def load_model(bundle: Bundle) -> Model:
    """The bundle's model in fp32, in training mode.

    Raises:
        BundleError: the weights do not fit the configuration, or are not all numbers.
    """
    config, sizes = bundle.config.model, [len(tokenizer) for tokenizer in bundle.tokenizers]
    # First: a configuration may ask for a model far larger than the weights are.
    check_shapes(bundle.weights, parameter_shapes(config, *sizes))
    check_finite(bundle.weights)
    model = make_model(config, *sizes)
    weights = {name: torch.from_numpy(a.astype(np.float32)) for name, a in bundle.weights.items()}
    model.load_state_dict(weights, strict=False)
    return model


def without_attention(bundle: Bundle) -> Bundle:
    """The bundle as a model whose decoder has its states alone: a student's beginning.

    Goes: how attention scores, and the columns of the readout's map that read what it finds. All
    else is as it was.

    Raises:
        BundleError: the weights do not fit its configuration, or there is no deep output: what
            tanh(W [h; c]) would be without c, no model has.
    """
    attending = bundle.config.model
    check_shapes(bundle.weights, parameter_shapes(attending, *(len(t) for t in bundle.tokenizers)))
    if not attending.deep_output:
        raise BundleError(
            f"{bundle.config.name} cannot do without its attention: its model.deep_output is false"
        )
    weights = {n: a for n, a in bundle.weights.items() if not n.startswith("decoder.attention.")}
    weights["decoder.readout.weight"] = np.delete(
        weights["decoder.readout.weight"], attending.readout_columns["attention"], axis=1
    )
    config = attending.model_copy(update={"attention": "none"})
    return replace(
        bundle, config=bundle.config.model_copy(update={"model": config}), weights=weights
    )


def load_part(model: Model, bundle: Bundle, part: Part) -> None:
    """Give a model the encoder of a bundle, or its decoder with the output layer.

    Raises:
        BundleError: it has not the model's shapes, or is not all numbers.
    """
    parameters = trained_parameters(model)
    expected = {n: tuple(p.shape) for n, p in parameters.items() if n.startswith(_PARTS[part])}
    found = {name: a for name, a in bundle.weights.items() if name.startswith(_PARTS[part])}
    check_shapes(found, expected)
    check_finite(found)
    with torch.no_grad():
        for name, array in found.items():
            parameters[name].copy_(torch.from_numpy(array.astype(np.float32)))


def half_precision(model: Model) -> dict[str, NDArray[np.float16]]:
    """The model's parameters as a bundle stores them."""
    return {
        name: parameter.detach().cpu().to(torch.float16).numpy()
        for name, parameter in trained_parameters(model).items()
    }


def trained_parameters(model: Model) -> dict[str, torch.nn.Parameter]:
    """All parameters but the constant zero biases of the fused layers (see `mt.lstm`)."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
