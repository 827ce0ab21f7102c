"""The texts of the dataset: sentences to train and validate a language model, and to test it.

Knows how many sentences of each case go where. A text has no pair of words of another
(`mt.datasets.agreement.split`), and the same seed gives the same sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from mt.datasets.agreement.choice import Choice
from mt.datasets.agreement.pronouns import CASES, pronoun_choice
from mt.datasets.agreement.split import Split
from mt.datasets.agreement.verbs import MOST_NOUNS, verb_choice
from mt.datasets.dataset import Dataset, Texts

SIZES: dict[Split, int] = {"train": 2400, "valid": 100, "test": 400}
"""Sentences of each case; half of them plural, or with "she", of which the other half are not."""
SEED = 1
RULE = (
    "no two texts share a pair of a subject and a noun between it and its verb, or of a subject "
    "and another person"
)


def agreement() -> Dataset:
    """The dataset, which has no originals."""
    return Dataset(
        name="agreement",
        url="",
        originals=(),
        licence="made by this program after Linzen et al. (2016); no rights reserved",
        read=lambda folder: texts(),
    )


def texts(seed: int = SEED) -> Texts:
    """`train.en`, `valid.en` and `test.en`, a sentence a line."""
    files = {f"{split}.en": [choice.text for choice in choices(split, seed)] for split in SIZES}
    return Texts(files, {"seed": seed, "of each case": dict(SIZES), "split": RULE})


def choices(split: Split, seed: int = SEED, count: int | None = None) -> list[Choice]:
    """The sentences of a text with the choice in each, all different; in each case half and half.

    Text to train on draws the number of each noun between; the others have only attractors, or, as
    controls, none.

    Args:
        count: of each case, an even number; `SIZES` has the default.
    """
    made: dict[str, Callable[[Random, bool], Choice]] = {
        case: partial(pronoun_choice, split=split, case=case) for case in CASES
    }
    for nouns in range(MOST_NOUNS + 1):
        for attract in (None,) if split == "train" else (True, False) if nouns else (True,):
            made[f"{nouns} {attract}"] = partial(
                verb_choice, split=split, nouns=nouns, attract=attract
            )
    return [
        choice
        for name, choose in made.items()
        for choice in _different(f"{name} {split} {seed}", count or SIZES[split], choose)
    ]


def _different(seed: str, count: int, choose: Callable[[Random, bool], Choice]) -> list[Choice]:
    """So many different sentences, one form and the other in turn."""
    random = Random(seed)
    found: dict[str, Choice] = {}
    while len(found) < count:
        choice = choose(random, len(found) % 2 == 1)
        found.setdefault(choice.text, choice)
    return list(found.values())
