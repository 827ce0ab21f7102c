"""What holds for any text and any edges: no line is lost, and each is where it belongs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from mt.scoring import length_buckets

EDGES = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(sorted)


@given(st.lists(st.text("ab \t\u2003", max_size=20), max_size=12), EDGES)
@settings(max_examples=100)
def test_every_line_is_in_the_one_bucket_of_its_length(sources, edges):
    buckets = length_buckets(sources, edges)
    lines = sorted(line for bucket in buckets for line in bucket.lines)
    assert lines == list(range(len(sources)))
    for bucket in buckets:
        for line in bucket.lines:
            count = len(sources[line].split())
            assert bucket.first <= count
            assert bucket.last is None or count <= bucket.last


@given(EDGES)
@settings(max_examples=30)
def test_buckets_follow_each_other_without_a_gap(edges):
    buckets = length_buckets(["", "a"], edges)
    assert buckets[0].first == 0
    assert [bucket.last for bucket in buckets] == [0, *edges, None]
    for before, after in pairwise(buckets):
        assert after.first == before.last + 1
