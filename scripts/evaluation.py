"""The record of an evaluation: what was scored and compared, and all it takes to repeat it.

Knows systems, references and what to compute of them. Does not know how a record is shown; the
figures themselves are made by `mt.scoring`.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import mt
from mt.config import Words
from mt.corpus import read_beside, read_pairs
from mt.errors import CorpusError
from mt.scoring import (
    TRIALS,
    Test,
    bleu_by_bucket,
    bleu_ratio,
    choose_parts,
    compare,
    evaluate,
    join,
    length_buckets,
)
from mt.scoring.joined import LONGEST, SHORTEST, Parts
from mt.system.files import sha256
from scripts.systems import ModelSystem, Outcome, without_mark

Record = dict[str, Any]

JOINED_LINES = 1000
"""Lines that are made of a test text by joining its own."""

PACKAGES = ("numpy", "sentencepiece", "sacrebleu")
"""Packages on whose versions a figure may depend."""


class TestText(NamedTuple):
    """A text, and one or more translations of it to compare with."""

    source_path: Path
    reference_paths: list[Path]
    source: list[str]
    references: list[list[str]]
    words: Words = "13a"
    """What BLEU takes for a word of it."""

    @classmethod
    def read(cls, source: Path, references: Sequence[Path]) -> TestText:
        """The text of files that match line by line.

        Raises:
            CorpusError: a file cannot be read, is empty, or a reference is not as long as the text.
        """
        lines, first = read_pairs([source], [references[0]])
        others = [read_beside(source, lines, reference) for reference in references[1:]]
        texts = [without_mark(text) for text in (lines, first, *others)]
        return cls(source, list(references), texts[0], texts[1:])


def evaluation_record(text: TestText, outcomes: Sequence[Outcome], test: Test) -> Record:
    """Scores of the first system and, under "against", of the others, compared with it."""
    first, *others = [_system_record(text, outcome) for outcome in outcomes]
    record = first | text_record(text)
    if others:
        record["significance"] = _compare(text, outcomes, others, test)
        record["against"] = others
    return record


def text_record(text: TestText) -> Record:
    """Which text it was, and under which versions."""
    return {
        "source": str(text.source_path),
        "reference": str(text.reference_paths[0]),
        "references": [str(path) for path in text.reference_paths],
        "sha256": {
            "source": _hash(text.source),
            "references": [_hash(lines) for lines in text.references],
        },
        "versions": {"mt": mt.__version__, "python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


def length_record(text: TestText, outcomes: Sequence[Outcome], edges: Sequence[int]) -> Record:
    """BLEU of every system, in the order of the outcomes, in buckets of the source's length."""
    buckets = length_buckets(text.source, edges)
    systems = [
        bleu_by_bucket(buckets, outcome.translations, *text.references, words=text.words)
        for outcome in outcomes
    ]
    return {
        "signature": next(score.signature for score in systems[0] if score is not None),
        "buckets": [
            {
                "words": str(bucket),
                "lines": len(bucket.lines),
                "bleu": [None if score is None else round(score.value, 2) for score in scores],
            }
            for bucket, *scores in zip(buckets, *systems, strict=True)
        ],
    }


def joined_record(
    text: TestText, parts: Sequence[Parts], system: ModelSystem, outcome: Outcome
) -> Record:
    """BLEU of lines joined to longer ones by BLEU of the same lines, against the first reference.

    Both as users get them, cut into sentences again, and as one piece, which shows the model.

    Args:
        parts: as `joined_parts` chooses them.
        outcome: of the system on the text as it is.
    """
    sources = join(text.source, parts)
    systems = {"cut into sentences": system, "in one piece": system.taking_whole_lines()}
    ratios = {
        name: bleu_ratio(
            each.run(sources).translations,
            outcome.translations,
            text.references[0],
            parts,
            text.words,
        )
        for name, each in systems.items()
    }
    return {
        "lines": len(parts),
        "words": [SHORTEST, LONGEST],
        "signature": next(iter(ratios.values())).signature,
        "ratios": {
            name: {
                "joined": round(ratio.joined, 2),
                "single": round(ratio.single, 2),
                "ratio": round(ratio.value, 3),
                "low": round(ratio.low, 3),
                "high": round(ratio.high, 3),
            }
            for name, ratio in ratios.items()
        },
    }


def joined_parts(text: TestText) -> list[Parts]:
    """Numbers of the lines that each joined line is made of.

    Raises:
        CorpusError: there are none.
    """
    parts = choose_parts(text.source, JOINED_LINES)
    if not parts:
        raise CorpusError(
            f"{text.source_path}: no lines of it make one of {SHORTEST} to {LONGEST} words"
        )
    return parts


def sweep_record(text: TestText, systems: Sequence[ModelSystem]) -> list[Record]:
    """Scores and seconds of one model under different decoding options."""
    outcomes = [system.run(text.source) for system in systems]
    return [
        {
            "search": outcome.record["search"],
            "seconds": outcome.record["seconds"],
            "scores": _score_records(text, outcome, interval=False),
        }
        for outcome in outcomes
    ]


def _system_record(text: TestText, outcome: Outcome) -> Record:
    return outcome.record | {
        "lines": len(text.source),
        "scores": _score_records(text, outcome, interval=True),
    }


def _score_records(text: TestText, outcome: Outcome, *, interval: bool) -> dict[str, Record]:
    scores = evaluate(outcome.translations, *text.references, interval=interval, words=text.words)
    return {
        name: {
            field: round(value, 2) if isinstance(value, float) else value
            for field, value in score._asdict().items()
            if value is not None
        }
        for name, score in scores.items()
    }


def _compare(
    text: TestText,
    outcomes: Sequence[Outcome],
    others: Sequence[Record],
    test: Test,
) -> Record:
    """Add to the scores of the others how they differ; returns how that was found out."""
    first, *rest = [outcome.translations for outcome in outcomes]
    differences = compare(first, rest, *text.references, test=test, words=text.words)
    for other, found in zip(others, differences, strict=True):
        for name, difference in found.items():
            other["scores"][name]["difference"] = round(difference.value, 2)
            other["scores"][name]["p"] = round(difference.p, 5)
    signatures = {name: difference.signature for name, difference in differences[0].items()}
    parts = dict(part.split(":", 1) for part in signatures["bleu"].split("|"))
    return {
        "test": test,
        "trials": TRIALS[test],
        "seed": parts["seed"],
        "signatures": signatures,
    }


def _hash(lines: Sequence[str]) -> str:
    """SHA-256 of the text, a line end after every line: that of the file, uncompressed, if it ends
    with one."""
    return sha256("".join(f"{line}\n" for line in lines).encode())
