"""One step of any variant of the cell, written in operators.

Knows the equations of `mt.lstm.variants`, and how states are kept between steps. Does not know
layers beside each other, tokens or what runs the operators.

Shapes: N rows, H hidden units, G gates that have parameters.
"""

from __future__ import annotations

import numpy as np

from mt.config import ModelConfig
from mt.engine.graph import Activation, Graph, quantise
from mt.engine.layers import Floats, LayerWeights


class HiddenForm:
    """How hidden states are kept from step to step: as integers where they are bounded."""

    def __init__(self, *, bounded: bool) -> None:
        self.bounded = bounded
        self.dtype = Graph.integer if bounded else np.float32
        self.zero = Graph.zero if bounded else 0

    def keep(self, graph: Graph, hidden: str) -> str:
        return graph.bounded(hidden).integers if self.bounded else hidden

    def use(self, graph: Graph, kept: str) -> Activation:
        """As the input of a product."""
        return Activation(kept, None) if self.bounded else graph.unbounded(kept)

    def values(self, graph: Graph, kept: str) -> str:
        return graph.values(Activation(kept, None)) if self.bounded else kept


def advance(
    graph: Graph, config: ModelConfig, layer: LayerWeights, x: str, hidden: Activation, cell: str
) -> tuple[str, str]:
    """One step of a layer: what its inputs give the gates, and the state -> hidden, cell.

    `x` [N, G*H] holds the bias, but not with layer normalisation, which adds it behind itself.
    """
    if config.layer_norm:
        assert layer.gain_x is not None
        assert layer.gain_h is not None
        x = normalised(graph, x, layer.gain_x, layer.bias)
        h = normalised(graph, graph.product(hidden, quantise(layer.W_h)), layer.gain_h)
        return activate(graph, config, layer, graph("Add", x, h), cell)
    sums = graph("Add", x, graph.product(hidden, quantise(layer.W_h)))
    return activate(graph, config, layer, sums, cell)


def activate(
    graph: Graph, config: ModelConfig, layer: LayerWeights, sums: str, cell: str
) -> tuple[str, str]:
    """The equations behind the products: sums [N, G*H] and the old cell -> hidden, cell."""
    parts = graph.split(sums, [layer.hidden_size] * len(layer.gates))
    a = dict(zip(layer.gates, parts, strict=True))

    def gate(letter: str, seen: str) -> str:
        if letter in layer.peepholes:
            looked = graph("Mul", graph.constant(layer.peepholes[letter]), seen)
            return graph("Sigmoid", graph("Add", a[letter], looked))
        return graph("Sigmoid", a[letter])

    i = gate("i", cell)
    f = graph("Sub", graph.constant(np.float32(1)), i) if "f" not in a else gate("f", cell)
    g = graph("Tanh", a["c"])
    cell = graph("Add", graph("Mul", f, cell), graph("Mul", i, g))
    o = gate("o", cell)
    shown = cell
    if config.layer_norm:
        assert layer.gain_cell is not None
        shown = normalised(graph, cell, layer.gain_cell, layer.shift_cell)
    if config.output_tanh:
        shown = graph("Tanh", shown)
    return graph("Mul", o, shown), cell


def normalised(graph: Graph, values: str, gain: Floats, shift: Floats | None = None) -> str:
    constants = [graph.constant(array) for array in (gain, shift) if array is not None]
    return graph("LayerNormalization", values, *constants, axis=-1, epsilon=1e-5)


def input_bias(config: ModelConfig, layer: LayerWeights) -> Floats | None:
    return None if config.layer_norm else layer.bias
