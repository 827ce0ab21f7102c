"""What the options of the memory cell cost: a training step of each against the fused standard one.

Knows layers on random numbers, in fp32, of sequences that need no padding. Does not know models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mt.config import STANDARD, Variant
from mt.lstm import LSTM, Layer, LoopedLSTM
from scripts.benchmarks.timing import ratios

LAYERS, STEPS, ROWS, HIDDEN = 2, 20, 64, 512

Layers = Sequence[Layer]


def measure_cells(*, rounds: int, hidden: int = HIDDEN) -> dict[str, float]:
    """For each option, the time of a forward and backward pass to that of the fused path."""
    inputs = torch.randn(STEPS, ROWS, hidden)
    stacks = {
        "fused": _fused(hidden),
        "weight_drop": _fused(hidden, weight_drop=0.3),
        "standard, as a loop": _looped(hidden, STANDARD),
        "output_tanh off": _looped(hidden, Variant(output_tanh=False)),
        "coupled_gates": _looped(hidden, Variant(coupled_gates=True)),
        "peepholes": _looped(hidden, Variant(peepholes=True)),
        "layer_norm": _looped(hidden, Variant(layer_norm=True)),
        "all four": _looped(hidden, Variant(False, True, True, True)),
    }
    steps = [_step(layers, inputs) for layers in stacks.values()]
    for step in steps:
        step()  # the first call prepares what later ones find ready
    found = ratios(*steps, rounds=rounds)
    return {name: round(ratio, 2) for name, ratio in zip(stacks, found, strict=True)}


def _fused(hidden: int, *, weight_drop: float = 0.0) -> Layers:
    return [LSTM(hidden, hidden, weight_drop=weight_drop) for _ in range(LAYERS)]


def _looped(hidden: int, variant: Variant) -> Layers:
    return [LoopedLSTM(hidden, hidden, variant=variant) for _ in range(LAYERS)]


def _step(layers: Layers, inputs: torch.Tensor) -> Callable[[], None]:
    def step() -> None:
        outputs = inputs
        for layer in layers:
            layer.zero_grad()
            outputs, _ = layer(outputs)
        outputs.square().sum().backward()

    return step
