"""Models with each option of the cell, whole: configured, trained, stored and put to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mt.bundle import load_bundle, save_bundle
from mt.config import ModelConfig, parse
from mt.engine import load_engine
from mt.errors import ConfigError
from mt.loss.cross_entropy import cross_entropy
from mt.model import Seq2Seq
from mt.parameters import half_precision, load_model, trained_parameters
from mt.tokens import BEGIN, END
from support.bundles import SOURCES, tiny_bundle
from support.models import SOURCE_SIZE, TARGET_SIZE, padded, tiny_config

ALL_FOUR = {"output_tanh": False, "coupled_gates": True, "peepholes": True, "layer_norm": True}
OPTIONS: dict[str, dict[str, Any]] = {
    "chrono": {"chrono_length": 30},
    "no tanh": {"output_tanh": False},
    "coupled": {"coupled_gates": True},
    "peepholes": {"peepholes": True},
    "norm": {"layer_norm": True},
    "residual": {"residual": True, "encoder_layers": 3},
    "weight drop": {"weight_drop": 0.3},
    "all": {**ALL_FOUR, "chrono_length": 30, "residual": True, "weight_drop": 0.3},
}
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


# Configured


def test_a_configuration_from_before_the_options_is_of_the_standard_cell() -> None:
    added = {
        "chrono_length",
        "output_tanh",
        "coupled_gates",
        "peepholes",
        "layer_norm",
        "residual",
        "weight_drop",
    }
    config = ModelConfig()
    old = {name: value for name, value in config.model_dump().items() if name not in added}
    assert parse(ModelConfig, old, where="config.json") == config
    names = set(trained_parameters(Seq2Seq(tiny_config(), SOURCE_SIZE, TARGET_SIZE)))
    directions = ["_l0", "_l0_reverse"]
    weights = ["weight_ih", "weight_hh", "bias_ih"]
    of_layers = {name for name in names if ".layers." in name}
    assert of_layers == {
        f"{side}.layers.{layer}.fused.{weight}{direction}"
        for side, ends in (("encoder", directions), ("decoder", directions[:1]))
        for layer in range(2)
        for weight in weights
        for direction in ends
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chrono_length": 1}, "chrono_length is 0 or at least 3 (found 1)"),
        ({"chrono_length": 2}, "chrono_length is 0 or at least 3 (found 2)"),
        (
            {"chrono_length": 30, "forget_bias": 2.0},
            "chrono_length sets the forget biases: leave forget_bias at 1.0 (found 2.0)",
        ),
        (
            {"layer_norm": True, "encoder_hidden_size": 1},
            "layer_norm needs hidden sizes of at least 2 (found 1 and 4)",
        ),
        (
            {"layer_norm": True, "decoder_hidden_size": 1},
            "layer_norm needs hidden sizes of at least 2 (found 3 and 1)",
        ),
        (
            {"residual": True, "encoder_layers": 2, "decoder_layers": 1},
            "residual needs 3 encoder layers or 2 decoder layers (found 2 and 1)",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ModelConfig, {**tiny_config().model_dump(), **options}, where="recipe x.toml")
    assert str(caught.value) == f"recipe x.toml: {message}"


@pytest.mark.parametrize(
    "options",
    [
        {"chrono_length": 3},
        {"chrono_length": 30, "forget_bias": 1.0},  # what a bundle's config.json says
        {"layer_norm": True, "encoder_hidden_size": 2, "decoder_hidden_size": 2},
        {"residual": True, "encoder_layers": 3, "decoder_layers": 1},
        {"residual": True, "encoder_layers": 1, "decoder_layers": 2},
        {"bridge": "copy", "decoder_hidden_size": 6, **ALL_FOUR},
    ],
)
def test_options_that_just_make_sense_are_accepted(options: dict[str, Any]) -> None:
    tiny_config(**options)


# Trained


@each_option
def test_a_tiny_model_learns_to_write_what_it_reads(options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    config = tiny_config(encoder_hidden_size=8, decoder_hidden_size=16, **options)
    model = Seq2Seq(config, SOURCE_SIZE, TARGET_SIZE).train()
    optimizer = torch.optim.Adam(trained_parameters(model).values(), lr=0.02)
    source, lengths = padded([[4, 5, END], [6, END], [7, 8, 9, END]])
    previous = torch.tensor([[BEGIN, 4, 5], [BEGIN, 6, 6], [BEGIN, 7, 8]])
    targets = torch.tensor([[4, 5, END], [6, 6, END], [7, 8, 9]]).T.flatten()
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        readouts = model(source, lengths, previous).flatten(0, 1)
        loss = cross_entropy(readouts, model.output_weight, model.output_bias, targets)
        (loss.smoothed / loss.positions).backward()
        optimizer.step()
        losses.append(loss.nll.item() / loss.positions)
    assert losses[0] > 2
    assert losses[-1] < 1
    for name, parameter in trained_parameters(model).items():
        assert parameter.isfinite().all(), name


# Stored and put to use


@each_option
def test_a_stored_model_comes_back_as_it_was(options: dict[str, Any], tmp_path: Path) -> None:
    layers = {"encoder_layers": 2, "decoder_layers": 2}
    bundle = tiny_bundle(**{**layers, **options})
    save_bundle(tmp_path, bundle, "card")
    loaded = load_bundle(tmp_path)
    assert loaded.config == bundle.config
    stored, found = load_model(bundle), load_model(loaded)
    for name, parameter in stored.named_parameters():
        assert torch.equal(found.get_parameter(name), parameter), name
    assert set(half_precision(found)) == set(bundle.weights)

    engine, original = load_engine(loaded), load_engine(bundle)
    sources = bundle.tokenizers.source.encode(SOURCES[:4])
    begin = np.full(len(sources), BEGIN)
    rows, _ = engine.step(begin, engine.start(sources))
    np.testing.assert_array_equal(rows, original.step(begin, original.start(sources))[0])
    # A row is not the next one's: the options did not silence the encoder.
    assert np.abs(np.diff(np.exp(rows), axis=0)).max() > 1e-3


def test_the_parameters_of_a_variant_have_names_that_say_what_they_are() -> None:
    bundle = tiny_bundle(**ALL_FOUR)
    assert {name: array.shape for name, array in bundle.weights.items() if "layers" in name} == {
        f"{side}.layers.0.{name}": shape
        for side, d, i, h in (("encoder", 2, 12, 8), ("decoder", 1, 18, 16))
        for name, shape in {
            "weight_ih": (d, 3 * h, i),
            "weight_hh": (d, 3 * h, h),
            "bias": (d, 3 * h),
            "peephole": (d, 2 * h),
            "gain_ih": (d, 3 * h),
            "gain_hh": (d, 3 * h),
            "gain_cell": (d, h),
            "shift_cell": (d, h),
        }.items()
    }
