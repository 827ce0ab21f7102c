"""The model as two graphs of integer products: the encoder with the bridge, and a decoder's step.

Knows the equations of `mt.lstm.variants` and the shape of `mt.model`, written once more in
operators. Does not know what runs them, sentences or beams.

What does not depend on the state is computed beforehand: the first layer's share of the gates for
each token of a vocabulary (its embedding times W_x, with the bias, in half precision: a table), and
the share of the context for each sentence (`fixed`). A step of the decoder then has one product a
layer, one for a deep output, and the output layer's.

Shapes: B sentences, S source positions, N rows (hypotheses) of which M were there before, L decoder
layers, H hidden units, G gates that have parameters, E embedding width, V pieces of the target, U
the same rounded up to whole blocks, C best tokens, F = G*H (+ E with a deep output).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.config import ModelConfig
from mt.engine.graph import Activation, Graph, Quantised, quantise
from mt.engine.layers import Floats, LayerWeights, Weights, as_float, read_layer
from mt.tokens import BEGIN, PAD, UNKNOWN

BLOCK = 64
"""Tokens whose largest value is looked for together: of k blocks with the largest ones, the best k
tokens are among the members."""

TABLE: Any = np.float16
"""Type of the numbers in a table; half the size for a relative error of 1 / 2048."""

STEP_OUTPUTS = ("hidden", "cell", "scores", "ids", "values")
"""Outputs of the step graph in their order."""

_NEVER_WRITTEN = [PAD, UNKNOWN, BEGIN]


class OutputLayer(NamedTuple):
    """What is compared with a readout: all pieces of the vocabulary, or some of them."""

    weights: Quantised
    """[E, U]"""
    bias: Floats
    """[U]: -inf where nothing may be written."""


class Network(NamedTuple):
    """A model, ready to be run."""

    encoder: bytes
    """Graph: tokens [S, B], within [S, B, 1], table -> hidden [B, L*H], cell [B, L*H], fixed [B, F]
    (only with a context)."""
    step: bytes
    """Graph: previous [N], rows [N], hidden [M, L*H], cell [M, L*H], table, sentences [N] and fixed
    [B, F] (only with a context), blocks [1], k [1] -> hidden [N, L*H], cell [N, L*H], scores
    [N, U], ids [N, C], values [N, C]."""
    source_table: NDArray[Any]
    """[source pieces, directions * G*H]"""
    target_table: NDArray[Any]
    """[V, F]"""


def build_network(config: ModelConfig, weights: Weights) -> Network:
    """Write the graphs of a model and quantise its weights."""
    form = _HiddenForm(bounded=config.output_tanh)
    encoder = [
        read_layer(weights, f"encoder.layers.{n}", config) for n in range(config.encoder_layers)
    ]
    decoder = [
        read_layer(weights, f"decoder.layers.{n}", config)[0] for n in range(config.decoder_layers)
    ]
    return Network(
        _encoder(config, weights, encoder, decoder[0], form),
        _step(config, weights, decoder, form),
        _source_table(weights, encoder[0]),
        _target_table(config, weights, decoder[0]),
    )


def output_layer(weights: Weights) -> OutputLayer:
    """All pieces, filled up to whole blocks with some that are never written."""
    name = "separate_output" if "separate_output" in weights else "decoder.embedding.weight"
    bias = as_float(weights["output_bias"])
    bias[_NEVER_WRITTEN] = -np.inf
    missing = -len(bias) % BLOCK
    matrix = np.pad(as_float(weights[name]).T, [(0, 0), (0, missing)])
    return OutputLayer(quantise(matrix), np.pad(bias, (0, missing), constant_values=-np.inf))


class _HiddenForm:
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


# The cell


def _advance(
    graph: Graph, config: ModelConfig, layer: LayerWeights, x: str, hidden: Activation, cell: str
) -> tuple[str, str]:
    """One step of a layer: what its inputs give the gates, and the state -> hidden, cell.

    `x` [N, G*H] holds the bias, but not with layer normalisation, which adds it behind itself.
    """
    if config.layer_norm:
        assert layer.gain_x is not None
        assert layer.gain_h is not None
        x = _normalised(graph, x, layer.gain_x, layer.bias)
        h = _normalised(graph, graph.product(hidden, quantise(layer.W_h)), layer.gain_h)
        return _activate(graph, config, layer, graph("Add", x, h), cell)
    sums = graph("Add", x, graph.product(hidden, quantise(layer.W_h)))
    return _activate(graph, config, layer, sums, cell)


def _activate(
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
        shown = _normalised(graph, cell, layer.gain_cell, layer.shift_cell)
    if config.output_tanh:
        shown = graph("Tanh", shown)
    return graph("Mul", o, shown), cell


def _normalised(graph: Graph, values: str, gain: Floats, shift: Floats | None = None) -> str:
    constants = [graph.constant(array) for array in (gain, shift) if array is not None]
    return graph("LayerNormalization", values, *constants, axis=-1, epsilon=1e-5)


def _input_bias(config: ModelConfig, layer: LayerWeights) -> Floats | None:
    return None if config.layer_norm else layer.bias


# The encoder


def _encoder(
    config: ModelConfig,
    weights: Weights,
    layers: Sequence[Sequence[LayerWeights]],
    decoder: LayerWeights,
    form: _HiddenForm,
) -> bytes:
    graph = Graph("encoder")
    tokens = graph.input("tokens", np.int64, ["S", "B"])
    within = graph.input("within", np.bool_, ["S", "B", 1])
    width = sum(layer.W_x.shape[1] for layer in layers[0])
    table = graph.input("table", TABLE, ["pieces", width])
    x = graph("Cast", graph("Gather", table, tokens), to=1)  # [S, B, directions * G*H]
    xs = graph.split(x, [layer.W_x.shape[1] for layer in layers[0]])
    hidden, cell = [], []
    outputs, below = "", None
    for depth, directions in enumerate(layers):
        if depth > 0:
            inputs = form.use(graph, outputs) if below is None else graph.unbounded(below)
            xs = [
                graph.product(inputs, quantise(layer.W_x), _input_bias(config, layer))
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
    _bridge(graph, config, weights, hidden, cell, decoder, form)
    return graph.serialised()


def _read(
    graph: Graph,
    config: ModelConfig,
    layer: LayerWeights,
    x: str,
    within: str,
    form: _HiddenForm,
    *,
    backwards: bool,
) -> tuple[str, str, str]:
    """One direction of a layer over all steps: x [S, B, G*H] -> hidden, cell, outputs [S, B, H]."""
    body = Graph(f"{x}.body")
    H = layer.hidden_size
    before = body.input("hidden", form.dtype, ["B", H])
    cell_before = body.input("cell", np.float32, ["B", H])
    x_now = body.input("x", np.float32, ["B", layer.W_x.shape[1]])
    within_now = body.input("within", np.bool_, ["B", 1])
    after, cell_after = _advance(body, config, layer, x_now, form.use(body, before), cell_before)
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
    decoder: LayerWeights,
    form: _HiddenForm,
) -> None:
    """Hand out the decoder's state before its first step, as `mt.model.Bridge` makes it."""
    finals = [form.use(graph, each) for each in hidden]
    cells = [graph.unbounded(each) for each in cell]
    if config.bridge == "copy":
        first_hidden, first_cell = hidden, cell
    else:
        top = config.encoder_layers - 1
        lowest = max(config.encoder_layers - config.decoder_layers, 0)
        first_hidden, first_cell = [], []
        for depth in range(config.decoder_layers):
            source = min(lowest + depth, top)
            mapped = _linear(graph, weights, f"bridge.hidden.{depth}", finals[source])
            first_hidden.append(form.keep(graph, graph("Tanh", mapped)))
            first_cell.append(_linear(graph, weights, f"bridge.cell.{depth}", cells[source]))
    graph.output(graph.join(first_hidden), form.dtype)
    graph.output(graph.join(first_cell), np.float32)
    if config.context_size:
        context = _context(graph, config, weights, finals, cells)
        share = _context_share(config, weights, decoder)
        graph.output(graph.product(context, quantise(share)), np.float32)


def _context(
    graph: Graph,
    config: ModelConfig,
    weights: Weights,
    finals: Sequence[Activation],
    cells: Sequence[Activation],
) -> Activation:
    """The summary of all final states, [B, C], within -1 and 1."""
    matrix = as_float(weights["bridge.context.weight"]).T
    parts = np.split(matrix, len(finals) + len(cells))
    total = graph.constant(as_float(weights["bridge.context.bias"]))
    for state, part in zip([*finals, *cells], parts, strict=True):
        total = graph("Add", total, graph.product(state, quantise(part)))
    return graph.bounded(graph("Tanh", total))


def _context_share(config: ModelConfig, weights: Weights, decoder: LayerWeights) -> Floats:
    """[C, F]: what the context gives the first layer's gates and the readout."""
    gates = decoder.W_x[config.embedding_size :]
    if not config.deep_output:
        return gates
    readout = as_float(weights["decoder.readout.weight"]).T
    H, C = config.decoder_hidden_size, config.context_size
    return np.concatenate([gates, readout[H : H + C]], axis=1)


def _linear(graph: Graph, weights: Weights, name: str, inputs: Activation) -> str:
    matrix, bias = (as_float(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.product(inputs, quantise(matrix.T), bias)


def _source_table(weights: Weights, layers: Sequence[LayerWeights]) -> NDArray[Any]:
    shares = np.concatenate([layer.W_x for layer in layers], axis=1)
    bias = np.concatenate([_table_bias(layer) for layer in layers])
    return _table(weights["encoder.embedding.weight"], shares, bias)


# The decoder


def _step(
    config: ModelConfig, weights: Weights, layers: Sequence[LayerWeights], form: _HiddenForm
) -> bytes:
    graph = Graph("step")
    H, L = config.decoder_hidden_size, len(layers)
    previous = graph.input("previous", np.int64, ["N"])
    rows = graph.input("rows", np.int64, ["N"])
    kept = graph.input("hidden", form.dtype, ["M", L * H])
    kept_cell = graph.input("cell", np.float32, ["M", L * H])
    hidden = graph.split(graph("Gather", kept, rows), [H] * L)
    cell = graph.split(graph("Gather", kept_cell, rows), [H] * L)
    x, readout = _token_share(graph, config, layers[0], previous)

    top = None
    output, after, cell_after = "", [], []
    for depth, layer in enumerate(layers):
        before = form.use(graph, hidden[depth])
        if depth == 0:
            new, new_cell = _advance(graph, config, layer, x, before, cell[0])
        else:
            assert top is not None
            new, new_cell = _upper_layer(graph, config, layer, top, before, cell[depth])
        after.append(form.keep(graph, new))
        cell_after.append(new_cell)
        if config.residual and depth > 0:
            output = graph("Add", new, output)
            top = graph.unbounded(output)
        else:
            output, top = new, form.use(graph, after[-1])
    assert top is not None
    if config.deep_output:
        matrix = as_float(weights["decoder.readout.weight"]).T[:H]
        top = graph.unbounded(graph("Add", readout, graph.product(top, quantise(matrix))))
    graph.output(graph.join(after), form.dtype)
    graph.output(graph.join(cell_after), np.float32)
    output_weights, bias = output_layer(weights)
    scores = graph("LogSoftmax", graph.product(top, output_weights, bias), axis=-1)
    graph.output(scores, np.float32)
    _best(graph, scores, len(bias))
    return graph.serialised()


def _token_share(
    graph: Graph, config: ModelConfig, layer: LayerWeights, previous: str
) -> tuple[str, str]:
    """What the previous token and the context give the first layer's gates, and the readout."""
    widths = [layer.W_x.shape[1]] + [config.embedding_size] * config.deep_output
    table = graph.input("table", TABLE, ["V", sum(widths)])
    share = graph("Cast", graph("Gather", table, previous), to=1)
    if config.context_size:
        sentences = graph.input("sentences", np.int64, ["N"])
        fixed = graph.input("fixed", np.float32, ["B", sum(widths)])
        share = graph("Add", share, graph("Gather", fixed, sentences))
    x, *readout = graph.split(share, widths)
    return x, readout[0] if readout else ""


def _upper_layer(
    graph: Graph,
    config: ModelConfig,
    layer: LayerWeights,
    inputs: Activation,
    hidden: Activation,
    cell: str,
) -> tuple[str, str]:
    if config.layer_norm or inputs.scale or hidden.scale:
        x = graph.product(inputs, quantise(layer.W_x), _input_bias(config, layer))
        return _advance(graph, config, layer, x, hidden, cell)
    # Inputs and hidden state side by side: one product instead of two.
    both = Activation(graph.join([inputs.integers, hidden.integers]), None)
    sums = graph.product(both, quantise(np.concatenate([layer.W_x, layer.W_h])), layer.bias)
    return _activate(graph, config, layer, sums, cell)


def _best(graph: Graph, scores: str, width: int) -> None:
    """Hand out the k best of each row of scores [N, width], of equal ones the lower id first.

    Only the blocks with the k largest maxima are looked through; put in order of their place again,
    they keep the order of ids.
    """
    blocks = graph.input("blocks", np.int64, [1])
    k = graph.input("k", np.int64, [1])
    cut = graph("Reshape", scores, graph.constant(np.array([-1, width // BLOCK, BLOCK])))
    largest = graph("ReduceMax", cut, graph.constant(np.array([2])), keepdims=0)
    _, chosen = graph.many("TopK", 2, largest, blocks)
    chosen, _ = graph.many("TopK", 2, chosen, blocks, largest=0)
    places = graph("Unsqueeze", chosen, graph.constant(np.array([2])))
    members = graph("GatherND", cut, places, batch_dims=1)
    flat = graph("Reshape", members, graph.constant(np.array([0, -1])))
    values, found = graph.many("TopK", 2, flat, k)
    size = graph.constant(np.array(BLOCK))
    block = graph("GatherElements", chosen, graph("Div", found, size), axis=1)
    ids = graph("Add", graph("Mul", block, size), graph("Mod", found, size))
    graph.output(ids, np.int64)
    graph.output(values, np.float32)


def _target_table(config: ModelConfig, weights: Weights, layer: LayerWeights) -> NDArray[Any]:
    share, bias = layer.W_x[: config.embedding_size], _table_bias(layer)
    if config.deep_output:
        readout = as_float(weights["decoder.readout.weight"]).T[-config.embedding_size :]
        share = np.concatenate([share, readout], axis=1)
        bias = np.concatenate([bias, as_float(weights["decoder.readout.bias"])])
    return _table(weights["decoder.embedding.weight"], share, bias)


def _table_bias(layer: LayerWeights) -> Floats:
    return layer.bias if layer.gain_x is None else np.zeros_like(layer.bias)


def _table(embedding: NDArray[Any], share: Floats, bias: Floats) -> NDArray[Any]:
    """embedding [pieces, E] times share [E, F] plus bias, a part at a time to save memory."""
    table = np.empty((len(embedding), len(bias)), TABLE)
    for start in range(0, len(table), 1024):
        part = slice(start, start + 1024)
        table[part] = as_float(embedding[part]) @ share + bias
    return table
