"""Models of a few units with random weights, quick to build and to run.

Knows ModelConfig and the kinds of models. Does not know text: token ids are small numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mt.config import ModelConfig
from mt.model import Model, make_model
from mt.parameters import trained_parameters
from mt.tokens import PAD

SOURCE_SIZE, TARGET_SIZE = 11, 13
"""Pieces of each vocabulary, special ones included; they differ, so that no side is taken for the
other."""


def tiny_config(**changes: Any) -> ModelConfig:
    """Two layers a side and no dropout; sizes differ, so that no axis is taken for another."""
    options = {
        "embedding_size": 5,
        "encoder_hidden_size": 3,
        "encoder_layers": 2,
        "decoder_hidden_size": 4,
        "decoder_layers": 2,
        "context_size": 7,
        "embedding_dropout": 0.0,
        "layer_dropout": 0.0,
        "output_dropout": 0.0,
        "word_dropout": 0.0,
    }
    return ModelConfig.model_validate(options | changes)


def language_model_config(**changes: Any) -> ModelConfig:
    """The same without an encoder."""
    return tiny_config(**{"encoder_layers": 0, "context_size": 0, **changes})


def tiny_model(
    seed: int,
    config: ModelConfig | None = None,
    *,
    source_size: int = SOURCE_SIZE,
    target_size: int = TARGET_SIZE,
    dtype: torch.dtype = torch.float32,
) -> Model:
    """A model in evaluation mode, every trained parameter drawn at random, biases too.

    The same seed and configuration give the same weights; torch's own random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        model = make_model(config or tiny_config(), source_size, target_size)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in trained_parameters(model).values():
            # Wide enough that gates open and close and different sources give different outputs.
            parameter.normal_(std=0.7, generator=random)
    return model.to(dtype).eval()


def padded(rows: Sequence[Sequence[int]], filler: int = PAD) -> tuple[Tensor, Tensor]:
    """Token ids [rows, longest], filled up at the end, and the length of each row."""
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.full((len(rows), int(lengths.max())), filler)
    for place, row in enumerate(rows):
        tokens[place, : len(row)] = torch.tensor(row)
    return tokens, lengths
