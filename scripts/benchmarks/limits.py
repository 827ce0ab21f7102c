"""How much arithmetic a model needs, and how much of it this machine can do in a second.

Knows matrix products: how many a model's equations ask for, and how fast torch makes large ones on
one thread. Does not know engines. Share of the limit = products needed / (seconds x limit).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch

from mt.config import ModelConfig
from scripts.benchmarks.timing import seconds_of

SHAPES = ((4096, 1024, 2048), (2048, 512, 8000), (256, 512, 2048))
"""Rows, depth and columns: a training step's gates, its output layer, a decoder's step of a full
batch, which stays in a cache. The fastest counts, of all shapes and ways to multiply."""
TRIES = 2
"""Products of each shape in a round."""


class Work(NamedTuple):
    """Multiply-adds of the products, forward; what is done once a sentence is left out."""

    source: int
    """For a source position."""
    target: int
    """For a target position: one step of one hypothesis."""


def work_of(config: ModelConfig, target_size: int, *, folded: bool) -> Work:
    """The multiply-adds that a model's equations ask for, but for those of attention.

    Args:
        folded: leave out the products of embeddings with a layer's weights, which need be made
            only once for each piece of the vocabulary. Nobody can do so while training.
    """
    gates = 3 if config.coupled_gates else 4
    hidden, directions = config.encoder_hidden_size, 2 if config.bidirectional else 1
    source = 0
    for layer in range(config.encoder_layers):
        inputs = hidden * directions if layer else config.embedding_size * (not folded)
        source += directions * gates * hidden * (inputs + hidden)
    hidden = config.decoder_hidden_size
    target = target_size * config.embedding_size
    for layer in range(config.decoder_layers):
        # The context does not change from step to step: folded, its share is made once a sentence.
        below = (config.embedding_size + config.context_size) * (not folded)
        target += gates * hidden * ((hidden if layer else below) + hidden)
    if config.deep_output:
        constant = (config.embedding_size + config.context_size) * (not folded)
        target += config.embedding_size * (hidden + constant)
    return Work(source, target)


class Limits:
    """The most GFLOP/s of one large product in each precision, measured again in every round.

    A multiply-add is two operations.
    """

    def __init__(self) -> None:
        self.gflops: dict[str, list[float]] = {name: [] for name, _ in PRODUCTS}
        """Of each round, by precision."""
        self._products = [
            (name, 2e-9 * math.prod(shape), make(*shape))
            for name, make in PRODUCTS
            for shape in SHAPES
        ]
        for _, _, product in self._products:
            product()

    def measure(self) -> float:
        """Take part in a round; returns the seconds it took."""
        best = dict.fromkeys(self.gflops, 0.0)
        taken = 0.0
        for name, operations, product in self._products * TRIES:
            seconds = seconds_of(product)
            best[name] = max(best[name], operations / seconds)
            taken += seconds
        for name, rate in best.items():
            self.gflops[name].append(rate)
        return taken

    def share(self, precision: str, gflops: Sequence[float]) -> float:
        """The median over rounds of what was reached to what could be reached in that round."""
        limits = self.gflops[precision]
        return statistics.median(r / limit for r, limit in zip(gflops, limits, strict=True))

    def median(self, precision: str) -> float:
        """The median over rounds."""
        return statistics.median(self.gflops[precision])


Product = Callable[[], object]


def _floats(rows: int, depth: int, columns: int, dtype: torch.dtype) -> Product:
    inputs, weights = torch.randn(rows, depth).to(dtype), torch.randn(columns, depth).to(dtype)
    return lambda: torch.nn.functional.linear(inputs, weights)


def _floats_by_onednn(rows: int, depth: int, columns: int) -> Product:
    # For fp32 torch prefers MKL, which on other makers' processors is half as fast.
    inputs, weights = torch.randn(rows, depth).to_mkldnn(), torch.randn(columns, depth).to_mkldnn()
    return lambda: torch.nn.functional.linear(inputs, weights)


def _integers(rows: int, depth: int, columns: int) -> Product:
    inputs = torch.randint(-127, 128, (rows, depth), dtype=torch.int8)
    weights = torch.randint(-127, 128, (depth, columns), dtype=torch.int8)
    # No public function of torch multiplies integers; this one is what its quantisation calls.
    return lambda: torch._int_mm(inputs, weights)


PRODUCTS: tuple[tuple[str, Callable[[int, int, int], Product]], ...] = (
    ("fp32", partial(_floats, dtype=torch.float32)),
    ("fp32", _floats_by_onednn),
    ("bf16", partial(_floats, dtype=torch.bfloat16)),
    ("int8", _integers),
)
"""Ways to multiply, each with its precision."""
