"""The rule on a vocabulary of a few tokens: what may follow can be read off the numbers."""

from __future__ import annotations

import pytest

from mt.search import DigitRule, Numerals

TOKENS = ("▁1", "▁19", "1", "0", "4", "8", "9", "00", "000", ",000", ":30", ",", ":", "▁")
NUMERALS = Numerals(dict(enumerate(TOKENS)))
WORD = 99
"""A token without digits, of which the rule knows nothing."""


def rule(*numbers: tuple[str, ...], rows: bool = False) -> DigitRule:
    return DigitRule(NUMERALS, numbers, rows=rows)


def follow(rules: DigitRule, *written: str) -> tuple[set[str], bool, bool]:
    """The digits that may follow, whether nothing else may, and whether no number is left."""
    place = rules.start
    for text in written:
        place = rules.after(place, TOKENS.index(text) if text in TOKENS else WORD)
    fits, unfinished, spent = rules.choice(place)
    known = [TOKENS[token] for token in NUMERALS.tokens.tolist()]
    found = {text for text, may in zip(known, fits.tolist(), strict=True) if may}
    others = set() if unfinished else {",", ":", "▁"}
    assert others <= found
    return found - others, unfinished, spent


def test_tokens_that_begin_alike_stand_together():
    ends = (NUMERALS.starts + NUMERALS.sizes).tolist()
    tokens = [TOKENS[token] for token in NUMERALS.tokens.tolist()]
    groups = [tokens[s:e] for s, e in zip(NUMERALS.starts.tolist(), ends, strict=True)]
    assert sorted(groups) == [
        [",000", ","],
        ["1", "0", "4", "8", "9", "00", "000"],
        [":30", ":"],
        ["▁1", "▁19", "▁"],
    ]


def test_a_number_is_begun_as_one_of_the_source_begins():
    assert follow(rule(("1984",), ("408",))) == ({"▁1", "▁19", "1", "4"}, False, False)
    assert follow(rule(("1984",), ("408",)), "word") == ({"▁1", "▁19", "1", "4"}, False, False)


def test_a_number_begun_is_finished_before_anything_else():
    years = rule(("1984",))
    assert follow(years, "▁19") == ({"8"}, True, False)
    assert follow(years, "▁19", "8") == ({"4"}, True, False)
    assert follow(years, "▁19", "8", "4") == (set(), False, True)


def test_a_number_is_written_as_often_as_it_is_there():
    assert follow(rule(("4",)), "4", "word") == (set(), False, True)
    assert follow(rule(("4",), ("4",)), "4", "word") == ({"4"}, False, False)
    assert follow(rule(("4",), ("4",)), "4") == (set(), False, False)  # 44 is another number


def test_a_number_that_another_begins_with_may_end_or_go_on():
    both = rule(("4",), ("408",))
    assert follow(both, "4") == ({"0"}, False, False)
    assert follow(both, "4", "0") == ({"8"}, True, False)
    assert follow(both, "4", "word") == ({"4"}, False, False)


def test_any_spelling_of_a_number_is_that_number():
    thousand = rule(("1000", "1,000"))
    assert follow(thousand, "1") == ({"0", "00", "000", ",000", ","}, True, False)
    assert follow(thousand, "1", ",000") == (set(), False, True)
    assert follow(thousand, "1", "000") == (set(), False, True)
    assert follow(thousand, "1", ",") == ({"0", "00", "000"}, True, False)


def test_a_spelling_of_two_numbers_may_be_either():
    hours = rule(("08", "8"), ("8",))
    assert follow(hours, "8", "word") == ({"0", "8"}, False, False)
    assert follow(hours, "0", "8", "word") == ({"8"}, False, False)
    assert follow(hours, "8", "word", "8", "word") == (set(), False, True)
    assert follow(hours, "8", "word", "0", "8", "word") == (set(), False, True)


def test_a_separator_may_be_punctuation():
    both = rule(("1",), ("1000", "1,000"))
    # After "1," either the thousand goes on or a word follows.
    assert follow(both, "1", ",") == ({"0", "00", "000", "▁1"}, False, False)
    assert follow(both, "1", ",", "word") == ({"▁1", "1"}, False, False)


def test_no_mark_makes_one_number_of_two_unless_the_source_has_them_so():
    assert follow(rule(("1",), ("4",)), "1", ",") == (set(), False, False)
    assert follow(rule(("1",), ("19",)), "1", ",") == ({"▁1", "▁19"}, False, False)
    assert follow(rule(("1",), ("4",)), "1", ":") == ({"4"}, False, False)
    assert follow(rule(("1",), ("4",)), "1", ",", ":") == ({"4"}, False, False)
    assert follow(rule(("1",), ("4",), rows=True), "1", ",") == ({"4"}, False, False)
    # In front of the first number it is punctuation.
    assert follow(rule(("1",), ("4",)), ",") == ({"▁1", "1", "4"}, False, False)


def test_what_the_rule_forbids_leaves_the_numbers_as_they_were():
    assert follow(rule(("4",)), "9") == ({"4"}, False, False)
    assert follow(rule(("1984",)), "▁19", "word") == ({"▁1", "▁19", "1"}, False, False)


@pytest.mark.parametrize("written", [[], ["word"], ["▁19"], ["4"]])
def test_places_are_found_again(written):
    rules = rule(("1984",), ("4",))
    assert follow(rules, *written) == follow(rules, *written)
    place = rules.start
    assert rules.after(place, WORD) == rules.after(place, WORD + 1) == place
