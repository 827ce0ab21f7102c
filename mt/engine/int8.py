"""8-bit integers on a CPU by ONNX Runtime: the fastest engine there, without torch.

Knows how to run the graphs of `mt.engine.network` and what their inputs are. Does not know how
they are made. Products are exact sums of integers, so a row's results are the same bits whatever
rows are beside it.

Shapes: as in `mt.engine.network`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.config import ModelConfig
from mt.engine.graph import Graph
from mt.engine.layers import Weights
from mt.engine.network import BLOCK, STEP_OUTPUTS, build_network
from mt.errors import BundleError
from mt.shapes import check_shapes, parameter_shapes
from mt.tokens import BEGIN, END, PAD

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


class Int8State(NamedTuple):
    """The decoder's state; which of its rows go on is told to the next step, which picks them."""

    arrays: dict[str, NDArray[Any]]
    """hidden and cell of M rows by name; with a context, fixed of B sentences."""
    sentences: Integers
    """[N] the sentence of each row that goes on."""
    rows: Integers
    """[N] its place among the M."""

    def select(self, rows: Integers) -> Int8State:
        """The state of these rows, in this order."""
        return Int8State(self.arrays, self.sentences[rows], self.rows[rows])


class Int8Engine:
    """A scorer over a quantised model."""

    name = "int8"
    begin = BEGIN
    end = END

    def __init__(self, config: ModelConfig, weights: Weights, *, threads: int = 1) -> None:
        """Quantise a model.

        Args:
            weights: as a bundle stores them, and as the configuration has them; they are not kept.
            threads: CPU threads that share a product.
        """
        network = build_network(config, weights)
        self._reverse = config.reverse_source
        self._source_table, self._target_table = network.source_table, network.target_table
        self._encoder = _session(network.encoder, threads)
        self._step = _session(network.step, threads)
        names = (output.name for output in self._step.get_outputs())
        self._names = dict(zip(STEP_OUTPUTS, names, strict=True))
        self._threads = threads

    @classmethod
    def load(cls, bundle: Bundle, *, threads: int = 1) -> Int8Engine:
        """Quantise the model of a bundle.

        Raises:
            BundleError: the weights do not fit the configuration, or are not all numbers.
        """
        config = bundle.config.model
        sizes = [len(tokenizer) for tokenizer in bundle.tokenizers]
        check_shapes(bundle.weights, parameter_shapes(config, *sizes))
        for name, array in bundle.weights.items():
            if not np.isfinite(array).all():
                raise BundleError(f"{name} holds a number that is not finite")
        return cls(config, bundle.weights, threads=threads)

    @property
    def environment(self) -> Mapping[str, Any]:
        """As `Engine.environment`; the number of threads does not matter here."""
        return {"onnxruntime": onnxruntime.__version__}

    def start(self, sources: Sequence[Sequence[int]]) -> Int8State:
        """Token ids of B sources, without special tokens -> the state before the first step."""
        lengths = np.array([len(source) + 1 for source in sources])
        tokens = np.full((lengths.max(), len(sources)), PAD)
        for column, source in enumerate(sources):
            whole = [*source, END]
            tokens[: len(whole), column] = whole[::-1] if self._reverse else whole
        within = np.arange(len(tokens))[:, None] < lengths
        feeds = {"tokens": tokens, "within": within[..., None], "table": self._source_table}
        found = self._encoder.run(None, feeds)
        arrays = dict(zip(("hidden", "cell", "fixed"), found, strict=False))
        sentences = np.arange(len(sources))
        return Int8State(arrays, sentences, sentences)

    def step(self, previous: Integers, state: Int8State) -> tuple[Floats, Int8State]:
        """[N] previous tokens and N rows of state -> [N, V] log-probabilities, state after."""
        (scores,), state = self._run(["scores"], previous, state, 1)
        return scores[:, : len(self._target_table)], state

    def step_top(
        self, previous: Integers, state: Int8State, k: int
    ) -> tuple[Integers, Floats, Int8State]:
        """As `step`, but only the C = min(k, V) best of each row: ids and log-probabilities [N, C].

        They fall along a row; of equal ones the lower id comes first.
        """
        (ids, values), state = self._run(
            ["ids", "values"], previous, state, k=min(k, len(self._target_table))
        )
        return ids, values, state

    def _run(
        self, wanted: list[str], previous: Integers, state: Int8State, k: int
    ) -> tuple[list[NDArray[Any]], Int8State]:
        feeds: dict[str, Any] = {
            **state.arrays,
            "previous": previous,
            "rows": state.rows,
            "table": self._target_table,
            "k": np.array([k]),
            "blocks": np.array([min(k, -(-len(self._target_table) // BLOCK))]),
        }
        if "fixed" in state.arrays:
            feeds["sentences"] = state.sentences
        names = [self._names[name] for name in ("hidden", "cell", *wanted)]
        hidden, cell, *found = self._step.run(names, feeds)
        arrays = {**state.arrays, "hidden": hidden, "cell": cell}
        return found, Int8State(arrays, state.sentences, np.arange(len(previous)))


def _session(graph: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A thread that spins takes the core from its neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.x64quantprecision", "1" if _saturates() else "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@functools.cache
def _saturates() -> bool:
    """Whether this processor cuts sums of two products of integers off at 16 bits.

    Those without instructions for such sums do, unless they are told to be slower and exact.
    """
    graph = Graph("saturation")
    inputs = graph.input("inputs", np.uint8, [1, 64])
    weights = np.full((64, 16), 127, np.int8)
    graph.output(graph("MatMulInteger", inputs, graph.constant(weights)), np.int32)
    session = onnxruntime.InferenceSession(graph.serialised(), providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"inputs": np.full((1, 64), 255, np.uint8)})
    return bool((sums != 64 * 255 * 127).any())
