"""Reasons to look at a translation twice, each named and defined here.

Knows segments, their translations and what search said of them. Does not know how they were made.
A flag is no error: the text is there, and the flag says what may be wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mt.config import Task
from mt.search import Hypothesis
from mt.text.digits import find_merged, find_runs, has_digits, with_plain_digits, without_separators
from mt.text.language import is_rather
from mt.tokens import UNKNOWN

TRUNCATED = "truncated"
"""The translation of a segment reached its length limit before the model ended it."""
REPEATED = "repeated"
"""One to four words stand three or more times in a row in the translation of a segment, joined by
hyphens four or more times, and none do so in the segment itself."""
COPIED = "copied"
"""A segment of two or more words came back unchanged, letter case and the white space between its
words aside."""
EMPTY = "empty"
"""The model had nothing to say of a segment, which is missing from the translation."""
UNKNOWN_CHARACTERS = "unknown_characters"
"""The text has characters that the model's vocabulary cannot spell; what they meant is not in the
translation."""
NUMBERS = "numbers"
"""A run of digits of a segment is not in its translation, or not as often. The separators around
digits may change, as from 3,50 to 3.50 or from 12.05. to 12/05, and those of thousands may come and
go, as each language writes them (1.000 in German, 1,000 in English, 1 000, 1000). Or two numbers
became one, 2,300 of "2, 300". What becomes a word is flagged though nothing is lost: "50" as
"fifty", "2." as "second", "15:00" as "3 pm".
Answers of a model that answers never have it."""
SPLIT = "split"
"""A segment longer than search.max_source_pieces was translated in parts; nothing is lost, but the
parts did not know of each other."""
TARGET_LANGUAGE = "target_language"
"""A segment of two or more words is clearly in the language translated to already, as
`mt.text.language` tells; it was translated all the same."""


class Segment(NamedTuple):
    """One segment after translation."""

    source: str
    translation: str
    parts: Sequence[tuple[Sequence[int], Hypothesis]]
    """Source ids and best hypothesis of each part: one, more if the segment was split, none if it
    has no letter or no token and passed through as it is."""
    suspicious: bool = True
    """Whether the segment may be in the target language, for all that is known without asking a
    classifier, which costs time and memory."""


def find_flags(
    segments: Sequence[Segment], source: str, target: str, task: Task = "translate"
) -> Iterator[str]:
    """The flags of a text that was translated between two languages, each at most once.

    Args:
        task: of the model: an answer need not repeat the numbers of its question.
    """
    parts = [part for segment in segments for part in segment.parts]
    if not all(hypothesis.finished for _, hypothesis in parts):
        yield TRUNCATED
    if any(_repeats(each.translation) and not _repeats(each.source) for each in segments):
        yield REPEATED
    if any(each.parts and _copied(each.source, each.translation) for each in segments):
        yield COPIED
    if any(each.parts and not each.translation for each in segments):
        yield EMPTY
    if any(UNKNOWN in ids for ids, _ in parts):
        yield UNKNOWN_CHARACTERS
    if task == "translate" and any(_loses_number(*each[:2], source, target) for each in segments):
        yield NUMBERS
    if any(len(each.parts) > 1 for each in segments):
        yield SPLIT
    if any(each.suspicious and _is_rather(each.source, target, source) for each in segments):
        yield TARGET_LANGUAGE


_REPETITION = re.compile(r"(?<!\S)(\S+(?: \S+){0,3})(?: \1){2,}(?!\S)")
# Three are ordinary: "ha-ha-ha". Punctuation may stand around them.
_HYPHENATED = re.compile(r"(?<![^\s-])[^\w\s-]*+([^\s-]++(?:-[^\s-]++){0,3})(?:-\1){3,}(?!\w)")


def _repeats(text: str) -> bool:
    return bool(_REPETITION.search(" ".join(text.split())) or _HYPHENATED.search(text))


def _copied(source: str, translation: str) -> bool:
    words = source.casefold().split()
    return len(words) > 1 and words == translation.casefold().split()


def _loses_number(text: str, translation: str, source: str, target: str) -> bool:
    """Whether digits are lost, with separators of thousands and without, or two numbers are one."""
    if not has_digits(text):  # most have none
        return False
    before, after = with_plain_digits(text), with_plain_digits(translation)
    if find_merged(before, after):
        return True
    return bool(_runs(before) - _runs(after)) and bool(
        _runs(without_separators(before, source)) - _runs(without_separators(after, target))
    )


def _runs(text: str) -> Counter[str]:
    return Counter(find_runs(text))


def _is_rather(text: str, language: str, expected: str) -> bool:
    # A single word is too often one of either language.
    return len(text.split()) > 1 and is_rather(text, language, expected)
