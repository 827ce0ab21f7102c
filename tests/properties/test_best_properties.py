"""What holds for the best few of many numbers, wherever they are: the same as by sorting all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mt.engine.reference import best_by_topk
from mt.search import best_of_each

Rows = NDArray[np.float32]

few_levels = st.integers(-3, 0).map(float)
"""So that most rows have equals."""


@st.composite
def rows_and_k(draw: st.DrawFn) -> tuple[Rows, int]:
    width = draw(st.integers(1, 12))
    row = st.lists(few_levels, min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=1, max_size=4))
    return np.array(rows, dtype=np.float32), draw(st.integers(1, 14))


@given(rows_and_k())
def test_the_best_of_each_row_are_the_first_of_a_stable_sort(drawn: tuple[Rows, int]) -> None:
    rows, k = drawn
    before = rows.copy()
    places, values = best_of_each(rows, k)
    expected = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(rows, expected, axis=1))
    np.testing.assert_array_equal(rows, before)


@given(rows_and_k())
def test_where_torch_has_them_they_are_the_same(drawn: tuple[Rows, int]) -> None:
    rows, k = drawn
    ids, values = best_by_topk(torch.from_numpy(rows), k)
    places, best = best_of_each(rows, k)
    np.testing.assert_array_equal(ids.numpy(), places)
    np.testing.assert_array_equal(values.numpy(), best)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_nan_comes_before_all_others(k: int) -> None:
    places, values = best_of_each(np.array([[1.0, np.nan, 3.0]]), k)
    assert places.tolist() == [[1, 2, 0][:k]]
    assert np.isnan(values[0, 0])


def test_a_row_of_fewer_than_k_possible_ones_ends_with_impossible_ones() -> None:
    places, values = best_of_each(np.array([[-np.inf, -1.0, -np.inf]]), 3)
    assert places[0, 0] == 1
    assert values.tolist() == [[-1.0, -np.inf, -np.inf]]
