"""Translations kept within a bound of memory."""

import pytest

from mt.translation import Candidate, SegmentTranslation, given
from service.texts.cache import CHARACTER_BYTES, ENTRY_BYTES, LINK_BYTES, Cache

ONE = ENTRY_BYTES + 2 * CHARACTER_BYTES
"""What an entry of one letter in and one letter out takes."""


def test_what_was_put_in_is_found():
    cache = Cache(10 * ONE)
    cache.put("k", "a", given("A"))
    assert cache.get("k") == given("A")
    assert cache.get("other") is None


def test_what_was_not_used_for_longest_goes_first():
    cache = Cache(2 * ONE)
    for name in "abc":
        if name == "c":
            assert cache.get("a")
        cache.put(name, name, given(name))
    assert [cache.get(name) is not None for name in "abc"] == [True, False, True]


def test_the_bound_holds_for_long_texts_too():
    cache = Cache(10 * ONE)
    for name in "abcd":
        cache.put(name, name, given(name))
    room_for_one = (10 * ONE - ENTRY_BYTES - 2 * CHARACTER_BYTES) // CHARACTER_BYTES
    cache.put("long", "l", given("x" * room_for_one))
    assert len(cache) == 1


def test_more_candidates_take_more():
    cache = Cache(2 * ONE)
    cache.put("a", "a", given("A"))
    cache.put("b", "b", SegmentTranslation((Candidate("B", 0, 1), Candidate("", 0, 1))))
    assert len(cache) == 1


def test_links_take_more():
    cache = Cache(2 * ONE + LINK_BYTES - 1)
    linked = SegmentTranslation((Candidate("A", 0, 1, ((0, 0),)),))
    cache.put("a", "a", linked)
    cache.put("b", "b", linked)
    assert len(cache) == 1


def test_what_is_larger_than_all_of_it_is_not_kept_and_drives_nothing_out():
    cache = Cache(ONE)
    cache.put("a", "a", given("A"))
    cache.put("b", "b" * 1000, given("B"))
    assert cache.get("a")
    assert cache.get("b") is None


def test_an_entry_replaces_its_forerunner():
    cache = Cache(2 * ONE)
    cache.put("a", "a", given("A"))
    cache.put("a", "a", given("B"))
    cache.put("b", "b", given("B"))
    assert len(cache) == 2
    assert cache.get("a") == given("B")


@pytest.mark.parametrize("limit", [0, ONE - 1])
def test_no_memory_is_no_cache(limit):
    cache = Cache(limit)
    cache.put("a", "a", given("A"))
    assert len(cache) == 0
