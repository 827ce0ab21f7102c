"""p-values against what can be counted: every way to swap lines between two small systems."""

from __future__ import annotations

import itertools

import pytest

from mt.scoring import TRIALS, bleu, compare, evaluate

REFERENCES = [
    "A dog is running across the meadow.",
    "Two dogs are playing in the snow.",
    "The cat is sleeping on the sofa.",
    "The girl is reading a book.",
    "The boy is eating a green apple.",
    "We are going to the cinema tonight.",
    "He is coming tomorrow at eight o'clock.",
    "A woman with a hat is waiting on the street.",
]
FIRST = [
    "A dog is running across the street.",
    "Two dogs are playing in the snow.",
    "A cat sleeps on the sofa.",
    "The girl is reading a big book.",
    "The boy is eating an apple now.",
    "We are going to the cinema.",
    "He comes tomorrow at eight o'clock.",
    "A woman is waiting on the street.",
]
OTHER = [
    "The dog is running across the meadow.",
    "Two dogs play in the snow.",
    "The cat is sleeping on a sofa.",
    "The girl is reading a book.",
    "The boy is eating a green apple.",
    "We are going to the cinema tonight.",
    "He is coming tomorrow at eight.",
    "A woman with a hat is waiting on the road.",
]
TESTS = ["randomization", "bootstrap"]


@pytest.fixture(autouse=True)
def _fewer_trials(monkeypatch):
    """As many as tell these cases apart, in a fifth of the time."""
    monkeypatch.setitem(TRIALS, "randomization", 2000)


def share_of_swaps(first, other, references):
    """The exact p-value: the share of all swaps with a difference as large as that found."""
    found = abs(bleu(other, references).value - bleu(first, references).value)
    swaps = list(itertools.product((False, True), repeat=len(first)))
    as_large = 0
    for swap in swaps:
        ours = [o if yes else f for f, o, yes in zip(first, other, swap, strict=True)]
        theirs = [f if yes else o for f, o, yes in zip(first, other, swap, strict=True)]
        difference = bleu(ours, references).value - bleu(theirs, references).value
        as_large += abs(difference) >= found - 1e-9
    return as_large / len(swaps)


@pytest.mark.parametrize("test", TESTS)
def test_a_system_does_not_differ_from_itself(test):
    (differences,) = compare(FIRST, [FIRST], REFERENCES, test=test)
    assert {(d.value, d.p) for d in differences.values()} == {(0.0, 1.0)}


def test_a_difference_is_that_of_the_scores():
    first, other = evaluate(FIRST, REFERENCES), evaluate(OTHER, REFERENCES)
    (differences,) = compare(FIRST, [OTHER], REFERENCES)
    assert list(differences) == list(first)
    for name, difference in differences.items():
        assert difference.value == pytest.approx(other[name].value - first[name].value)
        assert difference.value > 0


def test_p_is_the_share_of_swaps_that_differ_as_much():
    exact = share_of_swaps(FIRST, OTHER, REFERENCES)
    (differences,) = compare(FIRST, [OTHER], REFERENCES)
    assert 0.02 < exact < 0.5  # a case in between, where both ends would be wrong
    assert differences["bleu"].p == pytest.approx(exact, abs=0.02)


def test_p_is_the_same_whichever_system_is_the_first():
    (forth,) = compare(FIRST, [OTHER], REFERENCES)
    (back,) = compare(OTHER, [FIRST], REFERENCES)
    assert back["bleu"].value == -forth["bleu"].value
    assert back["bleu"].p == pytest.approx(forth["bleu"].p, abs=0.02)


@pytest.mark.parametrize("lines", [1, 2, 5])
def test_a_better_system_is_no_surer_than_its_lines_allow(lines):
    # Each line is better, so of 2 ** lines swaps only none and all differ as much.
    worse = [" ".join(reversed(text.split())) for text in REFERENCES[:lines]]
    (differences,) = compare(worse, [REFERENCES[:lines]], REFERENCES[:lines])
    assert differences["bleu"].p == pytest.approx(2 / 2**lines, abs=0.005)


@pytest.mark.parametrize("test", TESTS)
def test_a_much_better_system_differs_significantly(test):
    references = [f"{text} {number}" for number in range(4) for text in REFERENCES]
    worse = [" ".join(reversed(text.split())) for text in references]
    (differences,) = compare(worse, [references], references, test=test)
    for difference in differences.values():
        assert difference.value > 10
        assert difference.p < 0.002


@pytest.mark.parametrize("test", TESTS)
def test_case_is_no_difference_where_it_is_not_looked_at(test):
    lower = [text.lower() for text in REFERENCES]
    (differences,) = compare(lower, [REFERENCES], REFERENCES, test=test)
    assert differences["bleu"].p < 0.05
    assert differences["chrf"].p < 0.05
    assert differences["bleu_lc"][:2] == (0.0, 1.0)
    assert differences["chrf_lc"][:2] == (0.0, 1.0)


def test_a_difference_of_nothing_is_not_significant_however_many_lines_differ():
    references = REFERENCES * 2
    spaced = [text.replace(" ", "  ") for text in references]  # more lines than the bound minds
    (differences,) = compare(references, [spaced], references)
    assert {(d.value, d.p) for d in differences.values()} == {(0.0, 1.0)}


def test_lines_that_differ_in_case_only_make_a_lower_cased_test_no_surer():
    better = [*REFERENCES[:7], "Nothing of that is right here."]
    first, other = [text.upper() for text in better], REFERENCES
    (differences,) = compare(first, [other], REFERENCES)
    assert differences["bleu"].p < 0.05
    assert differences["bleu_lc"].p == 1.0  # one line only


def test_each_system_is_compared_by_itself():
    together = compare(FIRST, [OTHER, FIRST], REFERENCES)
    assert together == [
        *compare(FIRST, [OTHER], REFERENCES),
        *compare(FIRST, [FIRST], REFERENCES),
    ]
    assert compare(FIRST, [], REFERENCES) == []


def test_several_references_count():
    (differences,) = compare(FIRST, [OTHER], REFERENCES, OTHER)
    assert differences["bleu"].value == pytest.approx(100 - bleu(FIRST, REFERENCES, OTHER).value)
    assert differences["bleu"].signature.startswith("nrefs:2|")


@pytest.mark.parametrize(("test", "key"), [("randomization", "ar"), ("bootstrap", "bs")])
def test_the_signature_names_test_trials_and_seed(monkeypatch, test, key):
    (differences,) = compare(FIRST, [OTHER], REFERENCES, test=test)
    for difference in differences.values():
        assert f"|{key}:{TRIALS[test]}|seed:12345|" in difference.signature
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    (others,) = compare(FIRST, [OTHER], REFERENCES, test=test)
    assert "|seed:7|" in others["bleu"].signature
    assert others["bleu"].p != differences["bleu"].p


def test_p_values_repeat():
    assert compare(FIRST, [OTHER], REFERENCES) == compare(FIRST, [OTHER], REFERENCES)


@pytest.mark.parametrize(
    ("others", "references"),
    [([["a"]], [["a", "b"]]), ([["a", "b"]], [["a"]]), ([["a", "b"]], [])],
)
def test_systems_and_references_are_equally_long(others, references):
    with pytest.raises(AssertionError):
        compare(["a", "b"], others, *references)
