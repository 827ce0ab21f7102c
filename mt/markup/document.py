"""Text with markup <-> texts to translate: tags, comments and all else survive by construction.

Knows the texts between markup and how they are put back. Does not know what becomes of them:
`mt.text` cuts a text into sentences and keeps the white space around them.

A text with markup is cut into stretches that alternate between gap and passage, both slices of it.
A gap is markup, text that elements keep from translation, or text without letters. What comes back
for a passage is escaped, so no translation can bring forth markup, and escaped markup stays so:

    <b>2 &lt; 3, ja?</b>   ->   "2 < 3, ja?"   ->   "2 < 3, yes?"   ->   <b>2 &lt; 3, yes?</b>

In HTML a passage goes on over tags that mean words and no place, such as <b> and <a>, so that a
sentence with a word in bold is translated as one; `passages` puts the tags where the translation
has the word. So it does only where there is text outside of these elements too (else they may be a
row of links) and none meets the next without anything between them. In XML only the caller knows
which tags mean words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from mt.markup.elements import INLINE, Span, text_spans
from mt.markup.layout import Tag
from mt.markup.passages import Passage
from mt.markup.references import between_unknown
from mt.markup.syntax import Kind, Role, next_token
from mt.text.language import has_letters
from mt.text.words import Links


@dataclass(frozen=True, slots=True)
class Markup:
    """A text cut into passages to translate and the gaps between them."""

    gaps: tuple[str, ...]
    """What stands around the passages, always one more: gap, passage, gap, ..., passage, gap."""
    passages: tuple[Passage, ...]
    """In reading order; each has a letter. White space at their ends belongs to them."""
    preformatted: tuple[bool, ...]
    """Of each passage whether its line ends are seen, as in <pre>."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts to translate, of the passages."""
        return tuple(passage.text for passage in self.passages)

    @property
    def has_tags_inside(self) -> bool:
        """Whether tags stand inside texts, so that linked words tell where they belong."""
        return any(passage.tags for passage in self.passages)

    def join(self, translations: Sequence[str], links: Sequence[Links | None] | None = None) -> str:
        """The text with `translations[i]` in the place of `texts[i]`, escaped.

        A text that comes back unchanged stands there as it was written.

        Args:
            links: of the words of `texts[i]` and `translations[i]`; None guesses some.
        """
        count = len(self.passages)
        assert len(translations) == count, (len(translations), count)
        pieces = [self.gaps[0]]
        stretches = zip(
            self.passages, translations, links or [None] * count, self.gaps[1:], strict=True
        )
        for passage, translation, linked, gap in stretches:
            pieces += [passage.join(translation, linked), gap]
        return "".join(pieces)


def split_markup(
    text: str,
    kind: Kind,
    ignore_tags: frozenset[str] = frozenset(),
    *,
    splitting_tags: frozenset[str] = frozenset(),
    non_splitting_tags: frozenset[str] = frozenset(),
) -> Markup:
    """Cut any text, however damaged, so that `markup.join(markup.texts) == text`.

    Args:
        text: HTML or XML, whole or in part.
        kind: which of the two. In HTML the case of names does not matter.
        ignore_tags: names of elements whose content is left as it is, besides those `elements`
            tells of.
        splitting_tags: names of elements whose tags end a passage, of those that would not.
        non_splitting_tags: names of others that a passage goes on over.

    Example:
        >>> split_markup("<p>Ein <b>H&uuml;ndchen</b></p><p>bellt</p>", "html").texts
        ('Ein Hündchen', 'bellt')
    """
    gaps: list[str] = []
    passages: list[Passage] = []
    preformatted: list[bool] = []
    end = 0
    inline = _inline(kind, splitting_tags, non_splitting_tags)
    for block in _blocks(text, kind, ignore_tags, inline):
        gaps.append(text[end : block.start])
        passages.append(block.passage)
        preformatted.append(block.preformatted)
        end = block.end
    gaps.append(text[end:])
    return Markup(tuple(gaps), tuple(passages), tuple(preformatted))


class _Block(NamedTuple):
    """A passage where it stands: text[start:end]."""

    start: int
    end: int
    passage: Passage
    preformatted: bool


def _inline(
    kind: Kind, splitting_tags: frozenset[str], non_splitting_tags: frozenset[str]
) -> frozenset[str]:
    """The names of the tags that may stand inside a passage."""
    if kind == "xml":
        return non_splitting_tags - splitting_tags
    splitting, others = (
        {name.lower() for name in names} for names in (splitting_tags, non_splitting_tags)
    )
    return (INLINE | others) - splitting


def _blocks(
    text: str, kind: Kind, ignore_tags: frozenset[str], inline: frozenset[str]
) -> Iterator[_Block]:
    """What there is to translate, in reading order."""
    for spans, tags in _rows(text, kind, ignore_tags, inline):
        whole = Passage(kind, tuple(text[span.start : span.end] for span in spans), tuple(tags))
        if _is_one(whole):
            yield _Block(spans[0].start, spans[-1].end, whole, spans[0].preformatted)
            continue
        for span, stretch in zip(spans, whole.stretches, strict=True):
            passage = Passage(kind, (stretch,))
            if has_letters(passage.text):
                yield _Block(*span[:2], passage, span.preformatted)


def _rows(
    text: str, kind: Kind, ignore_tags: frozenset[str], inline: frozenset[str]
) -> Iterator[tuple[list[Span], list[Tag]]]:
    """Stretches of text with nothing but inline tags between them, and these tags."""
    spans: list[Span] = []
    tags: list[Tag] = []
    for span in _spans(text, kind, ignore_tags):
        tag = _tag(text, spans[-1].end, span.start, kind, inline) if spans else None
        if tag is None:
            if spans:
                yield spans, tags
            spans, tags = [span], []
        else:
            spans.append(span)
            tags.append(tag)
    if spans:
        yield spans, tags


def _spans(text: str, kind: Kind, ignore_tags: frozenset[str]) -> Iterator[Span]:
    """Every stretch of text between markup."""
    for start, stop, preformatted in text_spans(text, kind, ignore_tags):
        for begin, end in between_unknown(text[start:stop], kind):
            yield Span(start + begin, start + end, preformatted)


def _tag(text: str, start: int, end: int, kind: Kind, names: frozenset[str]) -> Tag | None:
    """The tag of one of the names that text[start:end] is; None if that is more or another."""
    if not names or not text.startswith("<", start):  # but a reference: the next tag may be far
        return None
    token = next_token(text, start, kind)
    if token is None or token[:2] != (start, end) or token.name not in names:
        return None
    is_alone = token.is_empty and kind == "xml"
    return Tag(text[start:end], Role.OTHER if is_alone else token.role, token.name)


def _is_one(passage: Passage) -> bool:
    """Whether stretches with tags between them are one text."""
    if not passage.tags:
        return False
    said = [any(map(str.isalnum, each)) for each in passage.read]
    if sum(said) < 2 or not has_letters(passage.text):
        return False
    steps = {Role.START: 1, Role.END: -1, Role.OTHER: 0}
    depths = [*accumulate((steps[tag.role] for tag in passage.tags), initial=0)]
    outermost = min(depths)
    outside = any(says for says, depth in zip(said, depths, strict=True) if depth == outermost)
    return outside and not _any_touch(passage.read, passage.tags)


def _any_touch(texts: Sequence[str], tags: Sequence[Tag]) -> bool:
    """Whether an element ends where the next begins, with letters on both sides."""
    before, ended, touching = texts[0][-1:], False, False
    for text, tag in zip(texts[1:], tags, strict=True):
        touching = touching or (ended and tag.role is Role.START)
        ended = ended or tag.role is Role.END
        if text:
            if touching and before.isalnum() and text[0].isalnum():
                return True
            before, ended, touching = text[-1], False, False
    return False
