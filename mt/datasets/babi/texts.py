"""The texts of the dataset: questions and their stories, answers, and which family each line is of.

Knows how many stories of a family go where. No story is in two texts, whatever is asked of it.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from random import Random

from mt.datasets.babi.families import FAMILIES, generate
from mt.datasets.babi.renaming import renamed
from mt.datasets.babi.story import Statements, Story
from mt.datasets.dataset import Dataset, Texts

SIZES = {"train": 1000, "valid": 100, "test": 1000}
"""Stories of each family. The paper has the first and the last; those that validate are further
ones, so that all 1,000 train."""
RENAMED = "renamed"
"""The training stories, each told again under other names."""
TIMES = 9
"""How often, at most: families of few short stories run out of others."""
SEED = 1

RULE = "no two stories have the same statements, within a text or between two"


def babi() -> Dataset:
    """The dataset, which has no originals."""
    return Dataset(
        name="babi",
        url="",
        originals=(),
        licence="made by this program after Weston et al. (2015); no rights reserved",
        read=lambda folder: texts(),
    )


def texts(seed: int = SEED) -> Texts:
    """Each split as `SPLIT.question`, `SPLIT.answer` and `SPLIT.task`, line by line."""
    columns = [
        f"{split}.{column}"
        for split in (*SIZES, RENAMED)
        for column in ("question", "answer", "task")
    ]
    files: dict[str, list[str]] = {name: [] for name in columns}
    told: set[Statements] = set()  # families have forms of statements in common
    splits = {name: _splits(name, seed, told) for name in FAMILIES}
    # Only now, when all that test are told: a renamed story must be none of them.
    for name, parts in splits.items():
        parts[RENAMED] = told_again(name, parts["train"], seed, told)
        for split, stories in parts.items():
            files[f"{split}.question"] += [story.text for story in stories]
            files[f"{split}.answer"] += [story.answer for story in stories]
            files[f"{split}.task"] += [name] * len(stories)
    return Texts(files, {"seed": seed, "stories": dict(SIZES), "split": RULE})


def told_again(name: str, stories: list[Story], seed: int, told: set[Statements]) -> list[Story]:
    """Each story of a family up to `TIMES` times under other names, as far as they make it new.

    Args:
        told: statements of stories that are not to be told again; those of the new ones are added.
    """
    random = Random(f"{name} {RENAMED} {seed}")
    again: list[Story] = []
    for story in stories:
        for _ in range(TIMES):
            other = renamed(name, story, random)
            if other.statements not in told:
                told.add(other.statements)
                again.append(other)
    return again


def _splits(name: str, seed: int, told: set[Statements]) -> dict[str, list[Story]]:
    stories = generate(name, sum(SIZES.values()), seed=seed, told=told)
    bounds = pairwise(accumulate(SIZES.values(), initial=0))
    return {split: stories[start:stop] for split, (start, stop) in zip(SIZES, bounds, strict=True)}
