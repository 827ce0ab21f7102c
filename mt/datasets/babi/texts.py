"""The texts of the dataset: stories with questions, answers, and which family each line is of.

Knows how many stories of a family go where. No story is in two texts, whatever is asked of it.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from mt.datasets.babi.families import FAMILIES, generate
from mt.datasets.dataset import Dataset, Texts

SIZES = {"train": 1000, "valid": 100, "test": 1000}
"""Stories of each family. The paper has the first and the last; those that validate are further
ones, so that all 1,000 train."""
SEED = 1


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
    columns = [f"{split}.{column}" for split in SIZES for column in ("question", "answer", "task")]
    files: dict[str, list[str]] = {name: [] for name in columns}
    bounds = list(pairwise(accumulate(SIZES.values(), initial=0)))
    told: set[tuple[str, ...]] = set()  # families have forms of statements in common
    for name in FAMILIES:
        stories = generate(name, sum(SIZES.values()), seed=seed, told=told)
        for split, (start, stop) in zip(SIZES, bounds, strict=True):
            part = stories[start:stop]
            files[f"{split}.question"] += [story.text for story in part]
            files[f"{split}.answer"] += [story.answer for story in part]
            files[f"{split}.task"] += [name] * len(part)
    return Texts(files, {"seed": seed, "stories": dict(SIZES), "split": RULE})


RULE = "no two stories have the same statements, within a text or between two"
