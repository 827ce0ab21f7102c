"""8-bit integers on a CPU by ONNX Runtime: the fastest engine there, without torch.

Knows how to run the graphs of `mt.engine.encoder` and `mt.engine.decoder`, and what their inputs
are. Does not know how they are made. Products are exact sums of integers, so a row's results are
the same bits whatever rows are beside it.

Shapes: as in `mt.engine.decoder`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.config import ModelConfig
from mt.engine.cells import HiddenForm
from mt.engine.decoder import BLOCK, OUTPUTS, output_layer, step_graph
from mt.engine.encoder import encoder_graph, encoder_outputs
from mt.engine.graph import Graph
from mt.engine.layers import Weights
from mt.engine.shortlist import Shortlist, joint_shortlist
from mt.engine.tables import TABLE, source_table, target_table
from mt.lexicon import Lexicon
from mt.shapes import check_finite, check_shapes, parameter_shapes
from mt.system.shared_arrays import shared_arrays
from mt.tokens import BEGIN, END, PAD

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


class Int8State(NamedTuple):
    """The decoder's state; which of its rows go on is told to the next step, which picks them."""

    arrays: dict[str, NDArray[Any]]
    """Inputs of a step by name: hidden and cell of M rows, and what belongs to B sentences."""
    sentences: Integers
    """[N] the sentence of each row that goes on."""
    rows: Integers
    """[N] its place among the M."""
    tokens: Integers | None
    """[U] the token of each place in a shortlist; None without one."""

    def select(self, rows: Integers) -> Int8State:
        """The state of these rows, in this order."""
        return self._replace(sentences=self.sentences[rows], rows=self.rows[rows])


class Int8Engine:
    """A scorer over a quantised model."""

    name = "int8"
    begin = BEGIN
    end = END

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        *,
        lexicon: Lexicon | None = None,
        threads: int = 1,
        shared: Path | None = None,
    ) -> None:
        """Quantise a model.

        Args:
            weights: as a bundle stores them, and as the configuration has them; they are not kept.
            threads: CPU threads that share a product.
            shared: a `shared_file` of this model's, for processes that have the same one.
        """
        self._lexicon = lexicon
        self._target_table, source = _tables(config, weights, shared)
        # One after the other, since each takes several times its size while it is made.
        self._reader = (
            _Zeros(config) if source is None else _Encoder(config, weights, source, threads)
        )
        self._step = _Step(step_graph(config, weights), threads)
        if lexicon is not None:
            self._short_step = _Step(step_graph(config, weights, shortlist=True), threads)
            self._output = output_layer(weights)

    @classmethod
    def load(cls, bundle: Bundle, *, threads: int = 1, shared: Path | None = None) -> Int8Engine:
        """Quantise the model of a bundle; arguments as of the class.

        Raises:
            BundleError: the weights do not fit the configuration, or are not all numbers.
        """
        config = bundle.config.model
        sizes = [len(tokenizer) for tokenizer in bundle.tokenizers]
        check_shapes(bundle.weights, parameter_shapes(config, *sizes))
        check_finite(bundle.weights)
        return cls(config, bundle.weights, lexicon=bundle.lexicon, threads=threads, shared=shared)

    @property
    def environment(self) -> Mapping[str, Any]:
        """As `Engine.environment`; the number of threads does not matter here."""
        return {"onnxruntime": onnxruntime.__version__}

    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> Int8State:
        """As `Engine.start`."""
        arrays = self._reader.read(sources)
        everyone = np.arange(len(sources))
        if not shortlist:
            return Int8State(arrays, everyone, everyone, None)
        short = joint_shortlist(self._lexicon, sources, shortlist, multiple=BLOCK)
        arrays |= self._output_of(short)
        return Int8State(arrays, everyone, everyone, short.tokens)

    def step(self, previous: Integers, state: Int8State) -> tuple[Floats, Int8State]:
        """[N] previous tokens and N rows of state -> [N, V] log-probabilities, state after."""
        (scores,), after = self._run(["scores"], previous, state, 1)
        if state.tokens is None:
            return scores[:, : len(self._target_table)], after
        rows = np.full((len(scores), len(self._target_table)), -np.inf, np.float32)
        rows[:, state.tokens] = scores
        rows[:, PAD] = -np.inf
        return rows, after

    def step_top(
        self, previous: Integers, state: Int8State, k: int
    ) -> tuple[Integers, Floats, Int8State]:
        """As `step`, but only the C = min(k, V) best of each row: ids and log-probabilities [N, C].

        They fall along a row; of equal ones the lower id comes first.
        """
        (ids, values), after = self._run(["ids", "values"], previous, state, k)
        return ids if state.tokens is None else state.tokens[ids], values, after

    def _run(
        self, wanted: Sequence[str], previous: Integers, state: Int8State, k: int
    ) -> tuple[list[NDArray[Any]], Int8State]:
        step, places = self._step, len(self._target_table)
        if state.tokens is not None:
            step, places = self._short_step, len(state.tokens)
        feeds = {
            **state.arrays,
            "previous": previous,
            "rows": state.rows,
            "sentences": state.sentences,
            "table": self._target_table,
            "k": np.array([min(k, places)]),
            "blocks": np.array([min(k, -(-places // BLOCK))]),
        }
        hidden, cell, *found = step.run(("hidden", "cell", *wanted), feeds)
        arrays = {**state.arrays, "hidden": hidden, "cell": cell}
        return found, state._replace(arrays=arrays, rows=np.arange(len(previous)))

    def _output_of(self, short: Shortlist) -> dict[str, NDArray[Any]]:
        """The columns of the output layer that a shortlist needs, as inputs of a step."""
        (integers, scale), bias = self._output
        return {
            "integers": integers[:, short.tokens],
            "scale": scale[short.tokens],
            "bias": bias[short.tokens],
            "allowed": short.allowed,
        }


class _Encoder:
    """The encoder and the bridge, which read sources into a first state."""

    def __init__(
        self, config: ModelConfig, weights: Weights, table: NDArray[Any], threads: int
    ) -> None:
        self._reverse = config.reverse_source
        self._outputs = encoder_outputs(config)
        self._session = _session(encoder_graph(config, weights), threads)
        self._table = table

    def read(self, sources: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        """What a step needs of sources, by name."""
        lengths = np.array([len(source) + 1 for source in sources])
        tokens = np.full((lengths.max(), len(sources)), PAD)
        for column, source in enumerate(sources):
            whole = [*source, END]
            tokens[: len(whole), column] = whole[::-1] if self._reverse else whole
        within = np.arange(len(tokens))[:, None] < lengths
        feeds = {"tokens": tokens, "within": within[..., None], "table": self._table}
        found = self._session.run(None, feeds)
        return {**dict(zip(self._outputs, found, strict=True)), "within": within.T[:, None]}


class _Zeros:
    """The first state of a language model, which reads no source."""

    def __init__(self, config: ModelConfig) -> None:
        self._width = config.decoder_layers * config.decoder_hidden_size
        self._form = HiddenForm(bounded=config.output_tanh)

    def read(self, sources: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        """As `_Encoder.read`; of the sources only their number matters."""
        shape = len(sources), self._width
        hidden = np.full(shape, self._form.zero, self._form.dtype)
        return {"hidden": hidden, "cell": np.zeros(shape, np.float32)}


class _Step:
    """A step's graph, made ready when it is first run, by whichever thread comes first."""

    def __init__(self, graph: bytes, threads: int) -> None:
        self._graph, self._threads = graph, threads
        self._ready: _ReadyStep | None = None
        self._lock = threading.Lock()

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Any]) -> list[NDArray[Any]]:
        """These of OUTPUTS; `feeds` may hold more than the graph has inputs for."""
        session, inputs, places = self._made_ready()
        names = [places[name] for name in outputs]
        return list(session.run(names, {name: feeds[name] for name in inputs}))

    def _made_ready(self) -> _ReadyStep:
        with self._lock:
            if self._ready is None:
                session = _session(self._graph, self._threads)
                self._graph = b""
                names = (value.name for value in session.get_outputs())
                self._ready = _ReadyStep(
                    session,
                    [value.name for value in session.get_inputs()],
                    dict(zip(OUTPUTS, names, strict=True)),
                )
        return self._ready


class _ReadyStep(NamedTuple):
    session: onnxruntime.InferenceSession
    inputs: list[str]
    outputs: dict[str, str]
    """Its name for each of OUTPUTS."""


def _tables(
    config: ModelConfig, weights: Weights, shared: Path | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The target table, and the source table of a model with an encoder."""
    tables = [target_table(config, weights)]
    if config.encoder_layers:
        tables.append(source_table(config, weights))

    def fill(arrays: Sequence[NDArray[Any]]) -> None:
        for table, array in zip(tables, arrays, strict=True):
            table.write(array)

    target, *source = shared_arrays(shared, [table.shape for table in tables], TABLE, fill)
    return target, source[0] if source else None


def _session(graph: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # It keeps memory for each size of a batch there has been, and saves no time to speak of.
    options.enable_mem_pattern = False
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
