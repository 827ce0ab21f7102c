"""Products of integers that can be checked with a pencil, run by ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

import mt.engine.graph
import mt.engine.int8
from mt.engine.graph import Activation, Graph, quantise

F = np.float32


def run(graph: Graph, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(graph.serialised(), providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def test_each_column_has_the_scale_of_its_largest_weight() -> None:
    integers, scale = quantise(np.array([[1.27, -2.54, 0.0], [0.01, 1.28, 0.0]]))
    assert integers.tolist() == [[127, -127, 0], [1, 64, 0]]
    np.testing.assert_allclose(scale, [0.01, 0.02, 1.0], rtol=1e-6)


def test_many_columns_are_quantised_like_few(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(1).normal(size=(5, 11)).astype(np.float16)
    whole = quantise(weights)
    monkeypatch.setattr(mt.engine.graph, "_COLUMNS", 4)
    for ours, theirs in zip(quantise(weights), whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_bounded_row_is_cut_into_127_steps_on_either_side_of_128() -> None:
    graph = Graph("bounded")
    graph.output(graph.bounded(graph.input("x", F, ["N", 5])).integers, np.uint8)
    (found,) = run(graph, x=np.array([[-1, 0, 1, 0.5, 1 / 254]], F))
    assert found.tolist() == [[1, 128, 255, 192, 128]]  # 63.5 and 0.5 go to the even integer


def test_an_unbounded_row_is_measured_by_its_own_largest_value() -> None:
    graph = Graph("unbounded")
    activation = graph.unbounded(graph.input("x", F, ["N", 3]))
    assert activation.scale is not None
    graph.output(activation.integers, np.uint8)
    graph.output(activation.scale, F)
    integers, scale = run(graph, x=np.array([[254, -127, 2], [0, 0, 0], [-0.5, 0.25, 0]], F))
    assert integers.tolist() == [[255, 64, 129], [128, 128, 128], [1, 192, 128]]
    np.testing.assert_allclose(scale[[0, 2], 0], [2, 0.5 / 127], rtol=1e-6)


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("bias", [None, np.array([10, 20], F)])
def test_a_product_of_representable_numbers_is_exact(
    bounded: bool, bias: NDArray[Any] | None
) -> None:
    graph = Graph("product")
    x = graph.input("x", F, ["N", 3])
    inputs = graph.bounded(x) if bounded else graph.unbounded(x)
    weights = quantise(np.array([[127, 0], [1, 127], [-3, 2]], F))
    graph.output(graph.product(inputs, weights, bias), F)
    (found,) = run(graph, x=np.array([[1, 0, -1], [0, 1, 0]], F))
    expected = np.array([[130, -2], [1, 127]]) + (0 if bias is None else bias)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_column_is_measured_by_its_own_largest_value_where_that_is_asked_for() -> None:
    graph = Graph("columns")
    activation = graph.unbounded(graph.input("x", F, ["S", 2]), axis=0)
    assert activation.scale is not None
    graph.output(activation.integers, np.uint8)
    graph.output(activation.scale, F)
    integers, scale = run(graph, x=np.array([[254, 0], [-127, 0.5], [2, -0.25]], F))
    assert integers.tolist() == [[255, 128], [64, 255], [129, 64]]
    np.testing.assert_allclose(scale, [[2, 0.5 / 127]], rtol=1e-6)


def test_two_activations_are_multiplied_with_the_scales_of_both() -> None:
    for scale, share in ((None, 1 / 127), ("scale", 3)):
        graph = Graph("dot")
        left = Activation(graph.input("left", np.uint8, [1, 2]), scale)
        right = Activation(graph.input("right", np.uint8, [2, 2]), graph.input("its", F, [1, 2]))
        inputs = {
            "left": np.array([[130, 127]], np.uint8),  # 2, -1
            "right": np.array([[129, 128], [138, 255]], np.uint8),  # 1, 0 and 10, 127
            "its": np.array([[1, 10]], F),
        }
        if scale:
            graph.input(scale, F, [1, 1])
            inputs[scale] = np.array([[3]], F)
        graph.output(graph.dot(left, right), F)
        (found,) = run(graph, **inputs)
        np.testing.assert_allclose(found, [[-8 * share, -1270 * share]], rtol=1e-6)


def test_a_mean_is_by_weights_in_steps_of_one_255th_and_divides_by_their_sum() -> None:
    graph = Graph("mean")
    integers = graph.input("values", np.uint8, [1, 3, 2])
    scale = graph.input("scale", F, [1, 1, 2])
    weights = graph.input("weights", F, [1, 1, 3])
    graph.output(graph.mean(weights, Activation(integers, scale)), F)
    (found,) = run(
        graph,
        # 10, 0 and 30, 3; the last has no weight
        values=np.array([[[138, 128], [158, 131], [255, 255]]], np.uint8),
        scale=np.array([[[1, 10]]], F),
        weights=np.array([[[1, 0.2, 0.001]]], F),  # 255, 51 and 0.255, which is none
    )
    # (10 * 255 + 30 * 51) / 306 and 10 * (3 * 51) / 306
    np.testing.assert_allclose(found, [[[40 / 3, 5]]], rtol=1e-6)


def test_integers_of_a_bounded_row_can_be_read_again() -> None:
    graph = Graph("values")
    kept = graph.input("kept", np.uint8, ["N", 3])
    graph.output(graph.values(Activation(kept, None)), F)
    (found,) = run(graph, kept=np.array([[1, 128, 255]], np.uint8))
    np.testing.assert_allclose(found, [[-1, 0, 1]], rtol=1e-6)


def test_a_scan_goes_either_way_and_shares_the_constants_of_its_graph() -> None:
    for backwards, sums in ((False, [1, 3, 6]), (True, [6, 5, 3])):
        graph = Graph("outer")
        numbers = graph.input("numbers", F, ["T", 1])
        body = Graph("inner", inside=graph)
        before = body.input("before", F, [1])
        after = body("Add", before, body.input("number", F, [1]))
        body.output(body("Mul", after, body.constant(np.array([1], F))), F)
        body.output(body("Identity", after), F)
        last, each = graph.scan(
            body, [graph.constant(np.array([0], F))], [numbers], 1, backwards=backwards
        )
        graph.output(last, F)
        graph.output(each, F)
        last_sum, all_sums = run(graph, numbers=np.array([[1], [2], [3]], F))
        assert (last_sum.tolist(), all_sums[:, 0].tolist()) == ([6], sums)


def test_products_are_exact_on_this_machine_whatever_it_takes() -> None:
    # 64 times the largest product there is: a processor that cuts sums at 16 bits would show it.
    graph = Graph("largest")
    inputs = graph.input("x", F, ["N", 64])
    graph.output(graph.product(graph.bounded(inputs), quantise(np.ones((64, 16), F))), F)
    session = mt.engine.int8._session(graph.serialised())
    (found,) = session.run(None, {"x": np.ones((2, 64), F)})
    np.testing.assert_allclose(found, 64, rtol=1e-6)
