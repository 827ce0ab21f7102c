"""The encoder and the bridge, written in operators: sources in, the decoder's first state out.

Knows how layers stand on each other and pass their final states on, as `mt.model` has it. Does not
know the cell's equations (`mt.engine.cells`) or what runs the operators.

Shapes: B sentences, S source positions, L decoder layers, H hidden units, G gates that have
parameters, C context width, F = G*H (+ E with a deep output).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mt.config import ModelConfig
from mt.engine.attention import memory_names, remember
from mt.engine.cells import HiddenForm, advance, input_bias
from mt.engine.graph import Activation, Graph, quantise
from mt.engine.layers import LayerWeights, Weights, as_float, read_encoder
from mt.engine.tables import TABLE, context_share


def encoder_graph(config: ModelConfig, weights: Weights) -> bytes:
    """A graph that ONNX Runtime reads.

    Inputs are tokens [S, B], padded behind their end; within [S, B, 1], whether a position is no
    padding; and the source table. Outputs are those of `encoder_outputs`, hidden [B, L*H], cell
    [B, L*H], with a context fixed [B, F], and with attention what `remember` says.
    """
    form = HiddenForm(bounded=config.output_tanh)
    layers = read_encoder(config, weights)
    graph = Graph("encoder")
    tokens = graph.input("tokens", np.int64, ["S", "B"])
    within = graph.input("within", np.bool_, ["S", "B", 1])
    width = sum(layer.W_x.shape[1] for layer in layers[0])
    table = graph.input("table", TABLE, ["pieces", width])
    x = graph.cast(graph("Gather", table, tokens), np.float32)  # [S, B, directions * G*H]
    xs = graph.split(x, [layer.W_x.shape[1] for layer in layers[0]])
    hidden, cell = [], []
    outputs, below = "", None
    for depth, directions in enumerate(layers):
        if depth > 0:
            inputs = form.use(graph, outputs) if below is None else graph.unbounded(below)
            xs = [
                graph.product(inputs, quantise(layer.W_x), input_bias(config, layer))
                for layer in directions
            ]
        found = [
            _read(graph, config, layer, x, within, form, backwards=backwards)
            for layer, x, backwards in zip(directions, xs, (False, True), strict=False)
        ]
        hidden.append(graph.join([final for final, _, _ in found]))
        cell.append(graph.join([final for _, final, _ in found]))
        outputs = graph.join([sequence for _, _, sequence in found])
        if config.residual:
            values = form.values(graph, outputs)
            below = values if below is None else graph("Add", values, below)
    _bridge(graph, config, weights, hidden, cell, form)
    if config.attention != "none":
        states = form.use(graph, outputs) if below is None else graph.unbounded(below)
        remember(graph, config, weights, states, within)
    return graph.serialised()


def encoder_outputs(config: ModelConfig) -> tuple[str, ...]:
    """The names of what an encoder gives, in this order."""
    fixed = ("fixed",) if config.context_size else ()
    return ("hidden", "cell", *fixed, *memory_names(config))


def _read(
    graph: Graph,
    config: ModelConfig,
    layer: LayerWeights,
    x: str,
    within: str,
    form: HiddenForm,
    *,
    backwards: bool,
) -> tuple[str, str, str]:
    """One direction of a layer over all steps: x [S, B, G*H] -> hidden, cell, outputs [S, B, H]."""
    body = Graph(f"{x}.body", inside=graph)
    H = layer.hidden_size
    before = body.input("hidden", form.dtype, ["B", H])
    cell_before = body.input("cell", np.float32, ["B", H])
    x_now = body.input("x", np.float32, ["B", layer.W_x.shape[1]])
    within_now = body.input("within", np.bool_, ["B", 1])
    after, cell_after = advance(body, config, layer, x_now, form.use(body, before), cell_before)
    # Outside of its own steps a row stands still.
    after = body("Where", within_now, form.keep(body, after), before)
    body.output(after, form.dtype)
    body.output(body("Where", within_now, cell_after, cell_before), np.float32)
    body.output(body("Identity", after), form.dtype)  # an output may not be handed out twice

    zeros = [
        graph("Expand", graph.constant(np.array(zero)), _rows_by(graph, within, H))
        for zero in (form.dtype(form.zero), np.float32(0))
    ]
    hidden, cell, outputs = graph.scan(body, zeros, [x, within], 1, backwards=backwards)
    return hidden, cell, outputs


def _rows_by(graph: Graph, within: str, width: int) -> str:
    """The shape [B, width]."""
    rows = graph("Shape", within, start=1, end=2)
    return graph("Concat", rows, graph.constant(np.array([width])), axis=0)


def _bridge(
    graph: Graph,
    config: ModelConfig,
    weights: Weights,
    hidden: list[str],
    cell: list[str],
    form: HiddenForm,
) -> None:
    """Hand out the decoder's state before its first step, as `mt.model.Bridge` makes it."""
    finals = [form.use(graph, each) for each in hidden]
    cells = [graph.unbounded(each) for each in cell]
    if config.bridge == "copy":
        first_hidden, first_cell = hidden, cell
    else:
        first_hidden, first_cell = [], []
        for depth, source in enumerate(config.bridge_sources):
            mapped = _linear(graph, weights, f"bridge.hidden.{depth}", finals[source])
            first_hidden.append(form.keep(graph, graph("Tanh", mapped)))
            first_cell.append(_linear(graph, weights, f"bridge.cell.{depth}", cells[source]))
    graph.output(graph.join(first_hidden), form.dtype)
    graph.output(graph.join(first_cell), np.float32)
    if config.context_size:
        context = _context(graph, weights, finals, cells)
        share = context_share(config, weights)
        graph.output(graph.product(context, quantise(share)), np.float32)


def _context(
    graph: Graph,
    weights: Weights,
    finals: Sequence[Activation],
    cells: Sequence[Activation],
) -> Activation:
    """The summary of all final states, [B, C], within -1 and 1."""
    matrix = weights["bridge.context.weight"].T
    parts = np.split(matrix, len(finals) + len(cells))
    total = graph.constant(as_float(weights["bridge.context.bias"]))
    for state, part in zip([*finals, *cells], parts, strict=True):
        total = graph("Add", total, graph.product(state, quantise(part)))
    return graph.bounded(graph("Tanh", total))


def _linear(graph: Graph, weights: Weights, name: str, inputs: Activation) -> str:
    bias = as_float(weights[f"{name}.bias"])
    return graph.product(inputs, quantise(weights[f"{name}.weight"].T), bias)
