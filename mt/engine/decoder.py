"""One step of the decoder, written in operators: tokens and states in, the best next tokens out.

Knows the decoder's layers, the output layer and how the best of many tokens are found. Does not
know the cell's equations (`mt.engine.cells`), beams or what runs the operators.

Shapes: N rows (hypotheses) of which M were there before, B sentences, L layers, H hidden units, G
gates that have parameters, E embedding width, V pieces of the target, U the same rounded up to
whole blocks, C best tokens, F = G*H (+ E with a deep output).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mt.config import ModelConfig
from mt.engine.attention import look_back
from mt.engine.cells import HiddenForm, activate, advance, input_bias
from mt.engine.graph import Activation, Graph, Quantised, quantise
from mt.engine.layers import Floats, LayerWeights, Weights, as_float, read_decoder
from mt.engine.tables import TABLE
from mt.tokens import NEVER_WRITTEN

BLOCK = 64
"""Tokens whose largest value is looked for together: of k blocks with the largest ones, the best k
tokens are among the members."""

OUTPUTS = ("hidden", "cell", "scores", "ids", "values")
"""What a step gives, in this order."""


class OutputLayer(NamedTuple):
    """What is compared with a readout: all pieces of the vocabulary, or some of them."""

    weights: Quantised
    """[E, U]"""
    bias: Floats
    """[U]: -inf where nothing may be written."""


def step_graph(config: ModelConfig, weights: Weights, *, shortlist: bool = False) -> bytes:
    """A graph that ONNX Runtime reads.

    Inputs are previous [N], rows [N], hidden [M, L*H], cell [M, L*H], the target table; sentences
    [N] and fixed [B, F] with a context; sentences [N] and what `look_back` takes with attention; k
    [1] and blocks [1], the least of k and U / BLOCK. Outputs are OUTPUTS: hidden [N, L*H], cell
    [N, L*H], scores [N, U], ids [N, C], values [N, C].

    With a shortlist, U stands for the tokens in it, and ids for places in it. Further inputs are
    its output layer, integers [E, U], scale [U] and bias [U]; allowed [B, U], 0 for tokens that the
    sentence may use and -inf for others; and sentences [N] in any case.
    """
    form, layers = HiddenForm(bounded=config.output_tanh), read_decoder(config, weights)
    graph = Graph("step")
    previous = graph.input("previous", np.int64, ["N"])
    attends = config.attention != "none"
    with_sentences = shortlist or attends or config.context_size > 0
    sentences = graph.input("sentences", np.int64, ["N"]) if with_sentences else ""
    hidden, cell = _state_before(graph, config, form)
    x, readout = _token_share(graph, config, layers[0], previous, sentences)
    top = _layers(graph, config, layers, x, hidden, cell, form)
    if config.deep_output or attends:
        found = look_back(graph, config, weights, top, sentences) if attends else ""
        top = _readout(graph, config, weights, top, readout, found)
    if shortlist:
        scores = _orderless_log_softmax(graph, _short_logits(graph, config, top, sentences))
    else:
        output = output_layer(weights)
        scores = graph("LogSoftmax", graph.product(top, output.weights, output.bias), axis=-1)
    graph.output(scores, np.float32)
    _best(graph, scores)
    return graph.serialised()


def output_layer(weights: Weights) -> OutputLayer:
    """All pieces, filled up to whole blocks with some that are never written."""
    name = "separate_output" if "separate_output" in weights else "decoder.embedding.weight"
    bias = as_float(weights["output_bias"])
    bias[[*NEVER_WRITTEN]] = -np.inf
    missing = -len(bias) % BLOCK
    integers, scale = quantise(weights[name].T)
    return OutputLayer(
        Quantised(np.pad(integers, [(0, 0), (0, missing)]), np.pad(scale, (0, missing))),
        np.pad(bias, (0, missing), constant_values=-np.inf),
    )


def _state_before(
    graph: Graph, config: ModelConfig, form: HiddenForm
) -> tuple[list[str], list[str]]:
    """The rows that go on, by layer: hidden, cell."""
    H, L = config.decoder_hidden_size, config.decoder_layers
    rows = graph.input("rows", np.int64, ["N"])
    hidden = graph.input("hidden", form.dtype, ["M", L * H])
    cell = graph.input("cell", np.float32, ["M", L * H])
    kept = [graph.split(graph("Gather", state, rows), [H] * L) for state in (hidden, cell)]
    return kept[0], kept[1]


def _layers(
    graph: Graph,
    config: ModelConfig,
    layers: Sequence[LayerWeights],
    x: str,
    hidden: Sequence[str],
    cell: Sequence[str],
    form: HiddenForm,
) -> Activation:
    """All layers from below: hands out their states, returns what the top one shows."""
    top: Activation | None = None
    below, after, cell_after = "", [], []
    for depth, layer in enumerate(layers):
        before = form.use(graph, hidden[depth])
        if top is None:
            new, new_cell = advance(graph, config, layer, x, before, cell[depth])
        else:
            new, new_cell = _upper_layer(graph, config, layer, top, before, cell[depth])
        after.append(form.keep(graph, new))
        cell_after.append(new_cell)
        if config.residual and depth > 0:
            below = graph("Add", new, below)
            top = graph.unbounded(below)
        else:
            below, top = new, form.use(graph, after[-1])
    graph.output(graph.join(after), form.dtype)
    graph.output(graph.join(cell_after), np.float32)
    assert top is not None
    return top


def _readout(
    graph: Graph, config: ModelConfig, weights: Weights, top: Activation, share: str, found: str
) -> Activation:
    """What is compared with every piece, of the top state, tokens and context, and attention."""
    matrix = weights["decoder.readout.weight"].T[config.readout_columns["hidden"]]
    bias = None if config.deep_output else as_float(weights["decoder.readout.bias"])
    total = graph.product(top, quantise(matrix), bias)
    for part in (share, found):
        total = graph("Add", part, total) if part else total
    return graph.unbounded(total) if config.deep_output else graph.bounded(graph("Tanh", total))


def _short_logits(graph: Graph, config: ModelConfig, top: Activation, sentences: str) -> str:
    weights = graph.input("integers", np.int8, [config.embedding_size, "U"])
    scale = graph.input("scale", np.float32, ["U"])
    bias = graph.input("bias", np.float32, ["U"])
    allowed = graph.input("allowed", np.float32, ["B", "U"])
    logits = graph.product_of(top, weights, scale, bias)
    return graph("Add", logits, graph("Gather", allowed, sentences))


def _orderless_log_softmax(graph: Graph, logits: str) -> str:
    """Log-probabilities of rows whose number and order of places their neighbours have a part in.

    Sums of floating-point numbers depend on their order, so whole ones are summed, which is exact
    up to 2**53: the best place has 2**40, so all of them together may have 8,192 times as much.
    """
    largest = graph("ReduceMax", logits, graph.constant(np.array([-1])))
    below = graph("Sub", logits, largest)
    unit = graph.constant(np.float64(2.0**40))
    numerators = graph.cast(graph("Exp", below), np.float64)
    whole = graph("Round", graph("Mul", numerators, unit))
    total = graph("Div", graph("ReduceSum", whole, graph.constant(np.array([-1]))), unit)
    return graph("Sub", below, graph.cast(graph("Log", total), np.float32))


def _token_share(
    graph: Graph, config: ModelConfig, layer: LayerWeights, previous: str, sentences: str
) -> tuple[str, str]:
    """What the previous token and the context give the first layer's gates, and the readout."""
    widths = [layer.W_x.shape[1]] + [config.embedding_size] * config.deep_output
    table = graph.input("table", TABLE, ["V", sum(widths)])
    share = graph.cast(graph("Gather", table, previous), np.float32)
    if config.context_size:
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
        x = graph.product(inputs, quantise(layer.W_x), input_bias(config, layer))
        return advance(graph, config, layer, x, hidden, cell)
    # Inputs and hidden state side by side: one product instead of two.
    both = Activation(graph.join([inputs.integers, hidden.integers]), None)
    sums = graph.product(both, quantise(np.concatenate([layer.W_x, layer.W_h])), layer.bias)
    return activate(graph, config, layer, sums, cell)


def _best(graph: Graph, scores: str) -> None:
    """Hand out the k best of each row of scores [N, U], of equal ones the lower id first.

    Only the blocks with the k largest maxima are looked through; put in order of their place again,
    they keep the order of ids.
    """
    blocks = graph.input("blocks", np.int64, [1])
    k = graph.input("k", np.int64, [1])
    cut = graph("Reshape", scores, graph.constant(np.array([0, -1, BLOCK])))
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
