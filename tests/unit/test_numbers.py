"""Other numbers in a pair: which pairs can have them, and what stays."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.corpus.numbers import has_shared_numbers, with_other_numbers


@pytest.mark.parametrize(
    ("source", "target", "shared"),
    [
        ("Um 2:30 Uhr", "At 2:30", True),
        ("Von 5 bis 20", "In 20, not 5", True),
        ("1,3 Milliarden", "1.3 billion", True),
        ("Ein 24-Jähriger", "A 24-year-old", True),
        ("Keine Zahl", "No number", False),
        ("8 Hunde", "Eight dogs", False),
        ("Um 14 Uhr", "At 2", False),
        ("3 und 3", "3", False),
        ("10.000", "10000", False),
        ("Am 8. April", "On April 8th", False),
        ("Die 1990er", "The 1990s", False),
        ("A4 und 7", "A4 and 7", False),
        ("Der 5te ist 5", "5", False),
    ],
)
def test_only_numbers_that_both_sides_write_alike_can_be_others(source, target, shared):
    assert has_shared_numbers(source, target) is shared


@given(
    st.lists(st.from_regex(r"[0-9]{1,6}", fullmatch=True), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_numbers_are_the_same_on_both_sides_and_keep_their_length(runs, seed):
    source, target = "x ".join(runs), ", ".join(reversed(runs))
    found, other = with_other_numbers(source, target, np.random.default_rng(seed))
    assert re.sub("[0-9]", "#", found) == re.sub("[0-9]", "#", source)
    drawn = re.findall("[0-9]+", found)
    assert re.findall("[0-9]+", other) == drawn[::-1]
    for before, after in zip(runs, drawn, strict=True):
        assert after == before or before not in ("0", "1")
        assert before.startswith("0") or not after.startswith("0")


def test_numbers_are_drawn_anew_but_for_one_and_none():
    random = np.random.default_rng(1)
    found = {with_other_numbers("1 von 0 und 57", "57", random)[0] for _ in range(2000)}
    assert found == {f"1 von 0 und {number}" for number in range(10, 100)}
    found = {with_other_numbers("7", "7", random)[0] for _ in range(200)}
    assert found == {*"23456789"}
