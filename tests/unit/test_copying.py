"""Probabilities under the rule on digits, worked out with a pencil; and whose numbers it takes."""

from __future__ import annotations

import numpy as np
import pytest

from mt.config import SearchConfig, TokenizerConfig
from mt.copying import digit_rules
from mt.search import CopyingDigits, DigitRule, Hypothesis, Numerals, sample, search
from mt.text.digits import find_runs
from mt.tokenizer import TokenizerPair, train_tokenizers
from support.bundles import SOURCES, TARGETS
from support.scorers import Table, TableScorer

# end and a word, then tokens with digits, a beginning of some, and digits by themselves
END, WORD, ONE, TWO, COLON_THREE, COLON_FIVE, COLON, FIVE = range(8)
SPELLED = {ONE: "▁1", TWO: "▁2", COLON_THREE: ":3", COLON_FIVE: ":5", COLON: ":", FIVE: "5"}
NUMERALS = Numerals(SPELLED)


def always(*probabilities: float) -> Table:
    with np.errstate(divide="ignore"):
        row = np.log(probabilities)
    return lambda prefix: row


def probabilities(table: Table, numbers: list[tuple[str, ...]], *written: int) -> list[float]:
    """Those of the next token under the rule."""
    scorer = TableScorer([table])
    ruled = CopyingDigits(scorer, [DigitRule(NUMERALS, numbers)])
    state, row = ruled.start(scorer.start()), np.empty(0)
    for token in (scorer.begin, *written):
        values, state = ruled.step(np.array([token]), state)
        row = values[0]
    return np.exp(row).round(6).tolist()


TABLE = always(0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.05, 0.05)


def test_tokens_that_begin_alike_share_what_all_of_them_had():
    # ▁1 has what ▁1 and ▁2 had; : what :3, :5 and : had. 5 is no digit of the source.
    assert probabilities(TABLE, [("1",)]) == [0.1, 0.2, 0.3, 0, 0, 0, 0.35, 0]
    # :5 and : have it in proportion to their own, 0.2 and 0.05.
    assert probabilities(TABLE, [("5",)]) == [0.1, 0.2, 0, 0, 0, 0.28, 0.07, 0.05]


def test_a_number_that_is_begun_has_all_there_is():
    assert probabilities(TABLE, [("15",)], ONE) == [0, 0, 0, 0, 0, 0, 0, 1]


def test_without_a_number_left_digits_are_lost_and_others_keep_what_they_have():
    assert probabilities(TABLE, [("1",)], ONE) == [0.1, 0.2, 0, 0, 0, 0, 0.05, 0]


def test_where_nothing_could_be_written_the_rule_does_not_hold():
    only_two = always(0, 0, 0, 1, 0, 0, 0, 0)
    assert probabilities(only_two, [("15",)], ONE) == [0, 0, 0, 1, 0, 0, 0, 0]
    assert probabilities(TABLE, [("15",)], ONE, TWO, WORD)[ONE] == 0.3  # and then it does again


def test_search_and_draws_write_the_numbers_of_the_source():
    first, later = always(0, 0.1, 0.1, 0.6, 0, 0, 0, 0.2), always(0.5, 0, 0.1, 0.2, 0, 0, 0, 0.2)
    scorer = TableScorer([lambda prefix: (later if prefix else first)(prefix)] * 2)
    rules = [DigitRule(NUMERALS, [("15",)]), DigitRule(NUMERALS, [("2",)])]
    ruled = CopyingDigits(scorer, rules)
    limits, start = np.array([4, 4]), ruled.start(scorer.start())
    found = search(ruled, start, limits, beam_size=2, alpha=0.0)
    assert [best.tokens for (best, *_) in found] == [(ONE, FIVE), (TWO,)]
    assert np.exp(found[0][0].log_probability) == pytest.approx(0.7 * 1 * 0.5)
    drawn = sample(ruled, start, limits, keys=[[1], [2]], draws=30, temperature=1.0, alpha=0.0)
    for hypotheses, number in zip(drawn, ("15", "2"), strict=True):
        assert {tuple(runs(each)) for each in hypotheses} == {(), (number,)}


def runs(hypothesis: Hypothesis) -> list[str]:
    return find_runs("".join(SPELLED.get(token, " ") for token in hypothesis.tokens))


# Rules of sources


COPY = SearchConfig(copy_digits=True)
NUMBERED = ["Im Jahr 1984.", "2350 Leute, 67 Hunde.", "Es ist 7:30 Uhr.", "40.000 Yen."]


def pair(source: list[str], target: list[str], *, right_to_left: bool = False) -> TokenizerPair:
    config = TokenizerConfig(vocabulary_size=110)
    trained = train_tokenizers([*SOURCES, *source], [*TARGETS, *target], config)
    return trained.writing(right_to_left=right_to_left)


def accepts(pair: TokenizerPair, text: str, translation: str) -> bool:
    """Whether the rule of a text leaves every token of a translation."""
    (rule,) = digit_rules(pair, ("de", "en"), pair.source.encode([text]), COPY)
    assert rule is not None
    place, known = rule.start, rule.numerals.tokens.tolist()
    for token in pair.target.encode([translation])[0]:
        choice = rule.choice(place)
        if not (choice.fits[known.index(token)] if token in known else not choice.unfinished):
            return False
        place = rule.after(place, token)
    return not rule.choice(place).unfinished


@pytest.mark.parametrize("right_to_left", [False, True])
def test_a_translation_may_have_the_numbers_of_its_source_in_either_direction(
    right_to_left: bool,
) -> None:
    numbered = pair(NUMBERED, NUMBERED, right_to_left=right_to_left)
    for text, right, wrong in [
        ("Im Jahr 1984.", "In 1984.", "In 1948."),
        ("40.000 Yen, 67 Hunde", "67 dogs, 40,000 yen", "67 dogs, 4,000 yen"),
        ("40.000 Yen", "40000 yen", "40.000 yen"),
        ("40,350 km", "40.350 km", "40350 km"),  # a fraction in German
        ("um 07:30 Uhr", "at 7:30", "at 7:3"),
        ("67", "sixty-seven", "67 67"),
    ]:
        assert accepts(numbered, text, right)
        assert not accepts(numbered, text, wrong)


def test_without_digits_or_with_some_that_cannot_be_spelled_there_is_no_rule():
    without = [line.replace("7", "") for line in NUMBERED]
    both, no_source, no_target = (
        pair(NUMBERED, NUMBERED),
        pair(without, NUMBERED),
        pair(NUMBERED, without),
    )
    for each, texts in [
        (both, {"Ein Hund läuft.": False, "17": True, "1 % 7": True}),
        (no_source, {"17": False, "14": True, "% 14": False}),  # what is unknown may be a 7
        (no_target, {"17": False, "14": True}),
    ]:
        rules = digit_rules(each, ("de", "en"), each.source.encode([*texts]), COPY)
        assert [rule is not None for rule in rules] == [*texts.values()]
