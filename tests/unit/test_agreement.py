"""Sentences in which words agree: generated ones by their own rules, found ones by hand."""

from collections import Counter

import pytest

from mt.datasets import DATASETS
from mt.datasets.agreement import choices, find
from mt.datasets.agreement.pronouns import CHANGED, FIRST, HE, SAME, SHE
from mt.datasets.agreement.split import split_of
from mt.datasets.agreement.verbs import NOUNS

NUMBERS = {form: number for pair in NOUNS for number, form in enumerate(pair)}
LEMMAS = {form: one for one, more in NOUNS for form in (one, more)}
GENDERS = {person.split()[-1]: she for she, group in enumerate((HE, SHE)) for person in group}


def words(choice):
    """The word that decides, and the others of its sort."""
    own = choice.before.split()
    return own[choice.decider], [own[place] for place in choice.others]


@pytest.fixture(scope="module")
def test_choices():
    return choices("test", count=40)


def test_in_each_case_half_of_the_right_forms_are_one_and_half_the_other(test_choices):
    counts = Counter((each.kind, each.case, each.second) for each in test_choices)
    assert set(counts.values()) == {20}
    assert len(counts) == 2 * (7 + 5)
    assert len({each.text for each in test_choices}) == len(test_choices)


def test_the_right_form_agrees_and_the_wrong_one_does_not(test_choices):
    second = {"are", "were", "have", "look", "seem", "need", "come", "she"}
    for choice in (*test_choices, *choices("train", count=40)):
        decider, _ = words(choice)
        number = NUMBERS[decider] if choice.kind == "verb" else GENDERS[decider]
        assert (choice.right in second) == number, choice
        assert (choice.wrong in second) != number, choice
        assert f" {choice.right} " in choice.text


def test_attractors_are_of_the_other_number_and_controls_of_the_same(test_choices):
    for choice in test_choices:
        decider, others = words(choice)
        if choice.kind == "verb":
            assert len(others) == int(choice.case[0])
            same = {NUMBERS[other] == NUMBERS[decider] for other in others}
            assert same <= {"attractor" not in choice.case}
        else:
            assert {GENDERS[other] == GENDERS[decider] for other in others} <= {choice.case == SAME}
            assert bool(others) == (choice.case != FIRST)


def test_no_text_has_a_pair_of_words_of_another():
    seen = {}
    for split in ("train", "valid", "test"):
        for choice in choices(split, count=60):
            decider, others = words(choice)
            for other in others:
                pair = (choice.kind, LEMMAS.get(decider, decider), LEMMAS.get(other, other))
                assert seen.setdefault(pair, split) == split, pair
    assert set(seen.values()) == {"train", "valid", "test"}


def test_a_pair_goes_to_the_text_that_its_places_count_to():
    assert [split_of(2, n) for n in range(3, 8)] == ["test", "valid", "train", "train", "train"]


def test_a_seed_makes_the_same_sentences_again_and_another_one_others():
    first, again, other = (choices("valid", seed, 4) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_dataset_is_the_three_texts():
    files = DATASETS["agreement"].read(None).files
    assert {name: len(lines) for name, lines in files.items()} == {
        "train.en": 9 * 2400,
        "valid.en": 12 * 100,
        "test.en": 12 * 400,
    }
    assert not set(files["train.en"]) & set(files["test.en"])


# Found in text

KNOWN = ["I saw a key, a cabinet, a box and an egg.", "Keys, cabinets, boxes and eggs."]
"""What the nouns of the sentences below are known by."""


def found(line):
    choices, left_out = find([*KNOWN, line])
    return choices, dict(left_out)


@pytest.mark.parametrize(
    ("line", "case", "right", "wrong", "decider", "others"),
    [
        ("The keys are here.", "0 attractors", "are", "is", "keys", []),
        ("The keys to the old cabinet are here.", "1 attractor", "are", "is", "keys", ["cabinet"]),
        ("My key to these boxes with eggs was lost.", "2 attractors", "was", "were", "key",
         ["boxes", "eggs"]),
        ("The box of an egg has gone.", "1 noun of the same number", "has", "have", "box", ["egg"]),
        ("The box of eggs in the cabinet does not fit.",
         "1 attractor, 1 noun of the same number", "does", "do", "box", ["eggs", "cabinet"]),
        ("Tom left because he was ill.", FIRST, "he", "she", "Tom", []),
        ("My sister said that she was ill.", FIRST, "she", "he", "sister", []),
        ("Tom left, but Mary stayed because she was ill.", CHANGED, "she", "he", "Mary", ["Tom"]),
        ("Alice left when my aunt said that she was ill.", SAME, "she", "he", "aunt", ["Alice"]),
    ],
)  # fmt: skip
def test_what_fits_a_pattern_is_a_choice(line, case, right, wrong, decider, others):
    (choice,), left_out = found(line)
    assert (choice.case, choice.right, choice.wrong) == (case, right, wrong)
    own = choice.before.split()
    assert own[choice.decider] == decider
    assert [own[place] for place in choice.others] == others
    assert choice.text.split() == line.split()
    assert left_out == {}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("The keys to the cabinet is here.", "verb"),
        ("The spoon is here.", "verb"),  # no known noun
        ("Tom said that she was ill.", "pronoun"),
    ],
)
def test_what_does_not_agree_is_left_out_and_counted(line, kind):
    assert found(line) == ([], {kind: 1})


@pytest.mark.parametrize(
    "line",
    [
        "Here the keys are.",
        "Tom saw his sister when he left.",  # "his" gives it away
        "Tom left with Mary because he was ill.",  # Mary is no subject
        "Tom and Mary left because he was ill.",
        "He said that he was ill.",
        "",
    ],
)
def test_what_fits_no_pattern_is_not_counted(line):
    assert found(line) == ([], {})


def test_equal_lines_are_one_choice():
    assert len(find([*KNOWN, "The keys are here.", " The keys are here.\n"]).choices) == 1
