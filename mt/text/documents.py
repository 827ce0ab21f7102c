r"""Document <-> segments: white space, blank lines and line ends survive by construction.

Knows Unicode white space. Does not know tokenizers or models: `split_long` is handed the measure it
has to keep to. Where sentences end, `sentence_ends.py` says, and what a letter is, `language.py`.

A text is cut into stretches that alternate between gap and segment. Both are slices of the text,
so putting the segments back gives the text back, whatever it holds. A segment is one sentence
within one line, without white space (or a byte-order mark) at either end. All else is gap and is
never translated: white space, and sentences without any letter, such as "12.05.2023", "3,50 €",
"---", emoji or an address (max@example.com). A model that answers is given those too, since
"2 + 2?" is a question.

- A line ends at "\n" only. A tab and every other white space that is more than a space between
  words (carriage return, form feed, NEL, U+2028, ...) also ends a segment and stays in the gap:
  a table keeps its columns, and a tokenizer never gets to fold such a character into a space.
- Spaces inside a sentence, runs and no-break spaces included, belong to the segment. What becomes
  of them is up to whoever translates it; a SentencePiece tokenizer makes each run one space.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mt.config import Segmentation, Task
from mt.text.language import has_letters
from mt.text.sentence_ends import sentence_ends
from mt.text.words import Links

# The white space of Unicode category Zs. All other white space is a break.
_SPACES = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_CELL = re.compile(rf"[\S{_SPACES}]+")
_BREAK = re.compile(rf"[^\S{_SPACES}]")
# The byte-order mark, not white space to Unicode today, opens files and is no part of a word.
_TRIMMED = re.compile(r"[^\s\ufeff](?:.*[^\s\ufeff])?")

_WHITE_SPACE = re.compile(r"\s+")
# A hyphen counts where it stands alone as a dash; in "Vor- und Nachteile" it does not.
_CLAUSE_END = re.compile(r"(?:[,;:\u2013\u2014]|(?<=\s)-)\s+")


@dataclass(frozen=True, slots=True)
class Document:
    """A text cut into segments to translate and the gaps between them."""

    gaps: tuple[str, ...]
    """What stands around the segments, always one more: gap, segment, gap, ..., segment, gap."""
    segments: tuple[str, ...]
    """Sentences in reading order; none is empty or has white space at either end."""

    def join(self, translations: Sequence[str], links: Sequence[Links] = ()) -> str:
        """The text with `translations[i]` in the place of `segments[i]`; no matter how their words
        are linked.

        Line ends come from the gaps alone: a line end or tab inside a translation (a model that
        falls back to bytes can write one) becomes a space, so lines never move.
        """
        assert len(translations) == len(self.segments), (len(translations), len(self.segments))
        pieces = [self.gaps[0]]
        for translation, gap in zip(translations, self.gaps[1:], strict=True):
            pieces += [_BREAK.sub(" ", translation), gap]
        return "".join(pieces)


def cut_document(text: str, language: str, segmentation: Segmentation, task: Task) -> Document:
    """A text as a model of that segmentation and task takes it; `language` as of `split_document`.

    Args:
        task: what has no letter is nothing to translate, but may be answered or continued.
    """
    letterless = task != "translate"
    if segmentation == "whole":
        return whole_document(text, letterless=letterless)
    return split_document(text, language, letterless=letterless)


def split_document(text: str, language: str, *, letterless: bool = False) -> Document:
    """Cut any text, lone surrogates included, so that `document.join(document.segments) == text`.

    Args:
        text: what to translate.
        language: ISO 639 code in lower case, for its abbreviations and ordinals; a language that
            sentencex does not know gets general rules.
        letterless: whether sentences without letters are segments too.

    Example:
        >>> split_document("Guten Morgen.\\n\\nEin Hund bellt.\\n", "de").segments
        ('Guten Morgen.', 'Ein Hund bellt.')
    """
    gaps: list[str] = []
    segments: list[str] = []
    end = 0
    for start, stop in _segment_spans(text, language, letterless):
        gaps.append(text[end:start])
        segments.append(text[start:stop])
        end = stop
    gaps.append(text[end:])
    return Document(tuple(gaps), tuple(segments))


def whole_document(text: str, *, letterless: bool = False) -> Document:
    """The text as one segment, if it has a letter.

    Breaks within it, line ends among them, are spaces in the segment; white space around it is gap.

    Args:
        letterless: whether a text without letters, but not only white space, is a segment too.

    Example:
        >>> whole_document("Tom is in the office.\\nWhere is Tom?\\n").segments
        ('Tom is in the office. Where is Tom?',)
    """
    inner = text.strip()
    if not inner or not (letterless or has_letters(inner)):
        return Document((text,), ())
    start = text.index(inner)
    segment = _WHITE_SPACE.sub(lambda run: " " if _BREAK.search(run[0]) else run[0], inner)
    return Document((text[:start], text[start + len(inner) :]), (segment,))


def split_cells(line: str) -> list[str]:
    """The stretches of a line between tabs and whatever else ends a segment; none is empty."""
    return _CELL.findall(line)


def split_long(segment: str, length: Callable[[str], int], limit: int) -> tuple[list[str], bool]:
    """Cut a segment that is too long into parts that are not, and say whether it was cut.

    A part ends after a comma, semicolon, colon or dash with white space behind it where one stands
    in the second half of what fits, else at white space, else between characters. White space
    between two parts stays at the end of the former, so that the joined parts are the segment; it
    is not measured. Only a part of a single character may exceed the limit.

    Args:
        segment: a segment of a `Document`.
        length: measures a text, in tokens for example. It should grow with the text, but may
            waver as subword tokenizers do. It is called O(log) times per part, on texts about as
            long as the part.
        limit: the largest length allowed, at least 1.
    """
    assert limit >= 1, limit

    def fits(text: str) -> bool:
        return length(text.rstrip()) <= limit

    if fits(segment):
        return [segment], False
    parts: list[str] = []
    start = 0
    while start < len(segment):
        stop = _part_end(segment, start, limit, fits)
        parts.append(segment[start:stop])
        start = stop
    return parts, len(parts) > 1


def _segment_spans(text: str, language: str, letterless: bool) -> Iterator[tuple[int, int]]:
    """Start and end of every segment of the text."""
    for cell in _CELL.finditer(text):
        start = cell.start()
        for end in sentence_ends(cell.group(), language):
            stop = cell.start() + end
            trimmed = _TRIMMED.search(text, start, stop)
            if trimmed and (letterless or has_letters(trimmed[0])):
                yield trimmed.span()
            start = stop


def _part_end(segment: str, start: int, guess: int, fits: Callable[[str], bool]) -> int:
    """Where to end the part that begins at `start`; `guess` characters are tried first."""
    reach = _reach(segment, start, guess, fits)
    while True:
        stop = _best_cut(segment, start, reach)
        reach = start + len(segment[start:stop].rstrip()) - 1
        # The measure need not grow with the text, so a shorter text is measured again.
        if reach <= start or fits(segment[start:stop]):
            return stop


def _reach(segment: str, start: int, guess: int, fits: Callable[[str], bool]) -> int:
    """The furthest end found to fit by doubling and bisection; at least one character on."""
    low, high = start, min(start + guess, len(segment))
    while high < len(segment) and fits(segment[start:high]):
        low, high = high, min(start + 2 * (high - start), len(segment))
    ends = range(low + 1, high + 1)
    found = low + bisect_left(ends, True, key=lambda end: not fits(segment[start:end]))
    return max(found, start + 1)


def _best_cut(segment: str, start: int, reach: int) -> int:
    """The best place to cut at or before `reach`, or behind the white space that follows it."""
    if space := _WHITE_SPACE.match(segment, reach):
        reach = space.end()
    if reach >= len(segment):
        return len(segment)
    half = start + (reach - start) // 2
    for boundary, begin in ((_CLAUSE_END, half), (_WHITE_SPACE, start)):
        ends = [match.end() for match in boundary.finditer(segment, begin, reach)]
        if ends:
            return ends[-1]
    cut = reach
    while cut > start and _belongs_together(segment[cut - 1], segment[cut]):
        cut -= 1
    return cut if cut > start else reach


def _belongs_together(left: str, right: str) -> bool:
    """Whether a reader sees two code points as one character, or they are one in UTF-16."""
    joiner = "\u200d"
    if joiner in (left, right) or unicodedata.category(right).startswith("M"):
        return True
    return "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff"
