"""A graph of ONNX operators, written node by node, and matrix products in 8-bit integers.

Knows operators, names and quantisation. Does not know models: `mt.engine.encoder` and
`mt.engine.decoder` write one with this.

A weight matrix is kept as 8-bit integers with one scale a column, an activation as 8-bit integers
with one scale a row, and their product is summed up in 32-bit integers, which is exact: the result
of a row does not depend on the rows beside it, as it would with a scale for the whole batch.

    y = (q_x . q_W) * s_x * s_W + b,    q_x = round(x / s_x),    q_W = round(W / s_W)

Where x is bounded by 1, as a hidden state behind its tanh is, s_x is 1/127 and costs nothing; else
it is the row's largest absolute value / 127. (Jacob et al. 2018, 2; per-column scales as in Wu et
al. 2020, 3.)

Shapes: N rows, K inputs, M outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

OPSET, IR_VERSION = 18, 9
MICROSOFT = "com.microsoft"
"""Domain of ONNX Runtime's own operators."""
LEVELS = 127
"""Steps of an activation on either side of its zero."""

_COLUMNS = 256
"""Columns quantised at once, so that little memory is needed besides the result."""

Array = NDArray[Any]


class Quantised(NamedTuple):
    """A weight matrix [K, M] as integers."""

    integers: NDArray[np.int8]
    """[K, M]"""
    scale: NDArray[np.float32]
    """[M]: an integer times its column's scale is the weight."""


class Activation(NamedTuple):
    """Rows of integers in a graph, by the names of their values."""

    integers: str
    """[N, K], around `Graph.zero`."""
    scale: str | None
    """[N, 1], or whatever else the integers can be multiplied by; None is 1 / LEVELS for all."""


def quantise(weights: Array) -> Quantised:
    """[K, M] of any precision -> the nearest integers; a column of zeros stays one."""
    integers = np.empty(weights.shape, np.int8)
    scale = np.ones(weights.shape[1], np.float32)
    for start in range(0, len(scale), _COLUMNS):
        part = weights[:, start : start + _COLUMNS].astype(np.float32)
        its_scale = np.abs(part).max(axis=0) / LEVELS
        its_scale[its_scale == 0] = 1
        integers[:, start : start + _COLUMNS] = np.rint(part / its_scale)
        scale[start : start + _COLUMNS] = its_scale
    return Quantised(integers, scale)


class Graph:
    """Nodes in the order they are added; every value has a name, and the names are ours to know."""

    integer: Any = np.uint8
    """Type of an activation."""
    zero = 128
    """The integer that stands for 0 in one."""

    def __init__(self, name: str, inside: Graph | None = None) -> None:
        """An empty graph.

        Args:
            name: part of the names of its values, so no other graph of the model may have it.
            inside: the graph that will run this one; it keeps the constants of both.
        """
        # Written in place, since the constants are large and protobuf copies what it is handed.
        self._model = onnx.ModelProto()
        self._graph = self._model.graph
        self._graph.name = name
        self._constants: Any = inside._constants if inside else self._graph.initializer
        self._count = 0

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> str:
        """A value that is given at each run; letters in its shape stand for any size."""
        self._graph.input.append(helper.make_tensor_value_info(name, _type(dtype), shape))
        return name

    def output(self, value: str, dtype: Any) -> None:
        """Hand out a value; outputs are known by their order."""
        self._graph.output.append(helper.make_tensor_value_info(value, _type(dtype), None))

    def constant(self, array: Array | np.generic) -> str:
        """A value that never changes."""
        tensor = self._constants.add()
        tensor.name = name = self._new_name("constant")
        tensor.data_type = _type(array.dtype)
        tensor.dims.extend(array.shape)
        tensor.raw_data = array.tobytes()
        return name

    def __call__(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output; returns the name of that."""
        return self.many(operator, 1, *inputs, domain=domain, **attributes)[0]

    def many(
        self, operator: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node of several outputs; returns their names."""
        names = [self._new_name(operator) for _ in range(outputs)]
        node = helper.make_node(operator, list(inputs), names, domain=domain, **attributes)
        self._graph.node.append(node)
        return names

    def cast(self, value: str, dtype: Any) -> str:
        """The same numbers as another type."""
        return self("Cast", value, to=_type(dtype))

    def split(self, value: str, sizes: Sequence[int]) -> list[str]:
        """Cut the last axis into parts of these sizes."""
        if len(sizes) == 1:
            return [value]
        return self.many("Split", len(sizes), value, self.constant(np.array(sizes)), axis=-1)

    def join(self, values: Sequence[str]) -> str:
        """Put values side by side along their last axis."""
        return values[0] if len(values) == 1 else self("Concat", *values, axis=-1)

    def scan(
        self,
        body: Graph,
        states: Sequence[str],
        sequences: Sequence[str],
        outputs: int,
        *,
        backwards: bool,
    ) -> list[str]:
        """Run a graph once for each element of the sequences' first axis.

        Returns:
            The states after the last step, then the `outputs` of all steps along a first axis, each
            at the place of its step.
        """
        return self.many(
            "Scan",
            len(states) + outputs,
            *states,
            *sequences,
            body=body._graph,
            num_scan_inputs=len(sequences),
            scan_input_directions=[int(backwards)] * len(sequences),
            scan_output_directions=[int(backwards)] * outputs,
        )

    def bounded(self, values: str) -> Activation:
        """Integers for values [N, K] within -1 and 1."""
        scale, zero = self.constant(np.float32(1 / LEVELS)), self._zero()
        return Activation(self("QuantizeLinear", values, scale, zero), None)

    def unbounded(self, values: str, axis: int = -1) -> Activation:
        """Integers for values [N, K] of any size, each row (or what runs along `axis`) by its own
        largest."""
        largest = self("ReduceMax", self("Abs", values), self.constant(np.array([axis])))
        tiny = self.constant(np.float32(1e-30))  # a row of zeros has no scale
        scale = self("Mul", self("Max", largest, tiny), self.constant(np.float32(1 / LEVELS)))
        one = self.constant(np.float32(1))
        return Activation(
            self("QuantizeLinear", self("Div", values, scale), one, self._zero()), scale
        )

    def values(self, activation: Activation) -> str:
        """The numbers that integers with the scale of `bounded` stand for."""
        assert activation.scale is None
        scale = self.constant(np.float32(1 / LEVELS))
        return self("DequantizeLinear", activation.integers, scale, self._zero())

    def product(self, inputs: Activation, weights: Quantised, bias: Array | None = None) -> str:
        """inputs [N, K] times weights [K, M] plus bias [M] -> [N, M]."""
        integers, scale = self.constant(weights.integers), self.constant(weights.scale)
        return self.product_of(
            inputs, integers, scale, None if bias is None else self.constant(bias)
        )

    def product_of(self, inputs: Activation, integers: str, scale: str, bias: str | None) -> str:
        """As `product`, of weights that are values themselves: [K, M], [M] and [M]."""
        one = 1 if inputs.scale else 1 / LEVELS
        fused_bias = [bias] if bias and inputs.scale is None else []
        result = self(
            "MatMulIntegerToFloat",
            *(inputs.integers, integers, self.constant(np.float32(one)), scale),
            *(self._zero(), "", *fused_bias),
            domain=MICROSOFT,
        )
        if inputs.scale is None:
            return result
        result = self("Mul", result, inputs.scale)
        return self("Add", result, bias) if bias else result

    def dot(self, left: Activation, right: Activation) -> str:
        """left [..., M, K] times right [..., K, N], scaled by [..., 1, N] -> [..., M, N]."""
        zero = self._zero()
        sums = self("MatMulInteger", left.integers, right.integers, zero, zero)
        result = self.cast(sums, np.float32)
        for scale in (left.scale, right.scale):
            result = self("Mul", result, scale or self.constant(np.float32(1 / LEVELS)))
        return result

    def mean(self, weights: str, values: Activation) -> str:
        """values [N, S, M], scaled by [N, 1, M], averaged by weights [N, 1, S] -> [N, 1, M].

        Weights lie within 0 and 1, sum to what they may, and are rounded to steps of 1 / 255.
        """
        whole = self("Round", self("Mul", weights, self.constant(np.float32(255))))
        total = self("ReduceSum", whole, self.constant(np.array([-1])))  # exact: whole numbers
        integers, none = self.cast(whole, np.uint8), self.constant(np.array(0, np.uint8))
        sums = self("MatMulInteger", integers, values.integers, none, self._zero())
        assert values.scale is not None
        scaled = self("Mul", self.cast(sums, np.float32), values.scale)
        return self("Div", scaled, total)

    def serialised(self) -> bytes:
        """The graph as a model that ONNX Runtime reads."""
        model = self._model
        model.ir_version = IR_VERSION
        domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        del model.opset_import[:]
        model.opset_import.extend(domains)
        return bytes(model.SerializeToString())

    def _zero(self) -> str:
        return self.constant(np.array(self.zero, self.integer))

    def _new_name(self, stem: str) -> str:
        self._count += 1
        return f"{self._graph.name}.{stem}.{self._count}"


def _type(dtype: Any) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
