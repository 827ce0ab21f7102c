"""What encoder and decoder are made of: recurrent layers as configured, embeddings, dropout.

Knows which layer runs which variant of the cell. Does not know what the layers are put together to.

Shapes: B sentences, T positions, N rows (sentences or hypotheses), F features.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from mt.config import STANDARD, ModelConfig
from mt.lstm import LSTM, Layer, LoopedLSTM
from mt.tokens import END, UNKNOWN


def lstm_layer(
    config: ModelConfig, input_size: int, hidden_size: int, *, bidirectional: bool = False
) -> Layer:
    """One layer, on the fused path where the configuration asks for the standard equations."""
    standard = config.variant == STANDARD
    layer = LSTM if standard else partial(LoopedLSTM, variant=config.variant)
    return layer(
        input_size,
        hidden_size,
        bidirectional=bidirectional,
        forget_bias=config.forget_bias,
        chrono_length=config.chrono_length,
        weight_drop=config.weight_drop,
    )


def make_embedding(size: int, width: int, std: float = 0.0) -> nn.Embedding:
    """A vector [width] for each of `size` tokens, of deviation `std`, or 1 / sqrt(width) if 0."""
    embedding = nn.Embedding(size, width)
    nn.init.normal_(embedding.weight, std=std or width**-0.5)
    return embedding


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
