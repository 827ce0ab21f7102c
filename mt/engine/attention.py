"""Attention, written in operators: what is remembered of a source, and how a step looks back at it.

Knows the scores of `mt.model.attention`. Does not know how queries and states come about, or what
runs the operators.

What attention finds goes nowhere but into the output's map, which is linear. So what is averaged is
not the source's states but what each of them gives that map, its share, computed once a sentence.
Both products that go over positions or compare with them are of integers, and the weights are
whole: 255 for the position that fits best. Sums of integers are exact in any order, so that neither
padding, whose weight is 0, nor neighbours change a bit.

Shapes: B sentences, N rows (hypotheses), S source positions, H width of queries and keys, W width
of the source's states, E embedding width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.config import ModelConfig
from mt.engine.graph import Activation, Graph, quantise
from mt.engine.layers import Weights

_NOWHERE = np.float32(-1e30)
"""The score of a position in padding; its weight is exactly 0."""


def memory_names(config: ModelConfig) -> tuple[str, ...]:
    """What `remember` hands out and `look_back` asks for, in this order."""
    match config.attention:
        case "none":
            return ()
        case "additive":
            return ("keys", "shares", "share_scale")
        case _:
            return ("keys", "key_scale", "shares", "share_scale")


def remember(
    graph: Graph, config: ModelConfig, weights: Weights, states: Activation, within: str
) -> None:
    """Hand out what a step looks back at.

    That is keys [B, H, S] with scales [B, 1, S], or with additive scores plain numbers [B, S, H];
    and shares [B, S, E] with scales [B, 1, E].

    Args:
        states: of the encoder's top layer, [S, B, W].
        within: [S, B, 1], whether a position is no padding.
    """
    if config.attention == "additive":
        plain = graph.product(states, quantise(weights["decoder.attention.U_a"].T))
        graph.output(graph("Transpose", plain, perm=[1, 0, 2]), np.float32)
    else:
        keys = _keys(graph, config, weights, states)
        assert keys.scale is not None
        graph.output(graph("Transpose", keys.integers, perm=[1, 2, 0]), graph.integer)
        graph.output(graph("Transpose", keys.scale, perm=[1, 2, 0]), np.float32)
    shares = graph.product(states, quantise(_share_matrix(config, weights)))
    # One scale for all positions, or their sum could not be of integers.
    shares = graph("Where", within, shares, graph.constant(np.float32(0)))
    whole = graph.unbounded(shares, axis=0)
    assert whole.scale is not None
    graph.output(graph("Transpose", whole.integers, perm=[1, 0, 2]), graph.integer)
    graph.output(graph("Transpose", whole.scale, perm=[1, 0, 2]), np.float32)


def look_back(
    graph: Graph, config: ModelConfig, weights: Weights, queries: Activation, sentences: str
) -> str:
    """Queries [N, H] of rows of these sentences [N] -> what attention gives the output, [N, E].

    Takes what `remember` handed out, and within [B, 1, S], as inputs of the graph.
    """
    E = config.embedding_size

    def of_rows(name: str, dtype: Any, *shape: int | str) -> str:
        return graph("Gather", graph.input(name, dtype, ["B", *shape]), sentences)

    if config.attention == "additive":
        keys = of_rows("keys", np.float32, "S", config.decoder_hidden_size)
        scores = _additive_scores(graph, weights, queries, keys)
    else:
        keys = of_rows("keys", graph.integer, config.decoder_hidden_size, "S")
        scale = of_rows("key_scale", np.float32, 1, "S")
        scores = graph.dot(_rows(graph, queries), Activation(keys, scale))
    within = of_rows("within", np.bool_, 1, "S")
    masked = graph("Where", within, scores, graph.constant(_NOWHERE))
    best = graph("ReduceMax", masked, graph.constant(np.array([-1])))
    numerators = graph("Exp", graph("Sub", masked, best))  # [N, 1, S], 1 for the best
    shares = of_rows("shares", graph.integer, "S", E)
    scale = of_rows("share_scale", np.float32, 1, E)
    found = graph.mean(numerators, Activation(shares, scale))
    return graph("Squeeze", found, graph.constant(np.array([1])))


def _keys(graph: Graph, config: ModelConfig, weights: Weights, states: Activation) -> Activation:
    """[S, B, H], each with a scale of its own."""
    if config.attention == "dot":
        return states if states.scale else graph.unbounded(graph.values(states))
    return graph.unbounded(graph.product(states, quantise(weights["decoder.attention.W_a"].T)))


def _share_matrix(config: ModelConfig, weights: Weights) -> NDArray[Any]:
    """[W, E]: the rows of the output's map that attention goes into."""
    return weights["decoder.readout.weight"].T[config.readout_columns["attention"]]


def _additive_scores(graph: Graph, weights: Weights, queries: Activation, keys: str) -> str:
    """[N, 1, S]"""
    query = graph.product(queries, quantise(weights["decoder.attention.W_a"].T))
    sums = graph("Add", graph("Unsqueeze", query, graph.constant(np.array([1]))), keys)
    compared = graph.bounded(graph("Tanh", sums))  # [N, S, H]
    scores = graph.product(compared, quantise(weights["decoder.attention.v_a"][:, None]))
    return graph("Transpose", scores, perm=[0, 2, 1])


def _rows(graph: Graph, queries: Activation) -> Activation:
    """[N, H] -> [N, 1, H]"""
    axis = graph.constant(np.array([1]))
    scale = queries.scale and graph("Unsqueeze", queries.scale, axis)
    return Activation(graph("Unsqueeze", queries.integers, axis), scale)
