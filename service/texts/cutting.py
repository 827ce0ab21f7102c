"""Which stretches of a text are translated, and what stands around them.

Knows plain text, HTML and XML, and how lines and sentences are to be told apart. Does not know
languages or models. Whatever a style says, what stands in no segment stays byte for byte. Only a
line end inside a segment, with the white space around it, is not kept: there it is a space.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice, pairwise
from typing import Literal, NamedTuple

from mt.markup import Markup, guess_links, split_markup
from mt.text import Document, split_cells, split_document, whole_document
from mt.text.language import has_letters
from mt.text.words import Links, find_words
from mt.translation import Frame

Format = Literal["text", "html", "xml"]
Sentences = Literal["split", "unwrap", "whole"]

USUAL: Mapping[Format, Sentences] = {"text": "split", "html": "unwrap", "xml": "split"}
"""How lines and sentences are told apart where nobody says. In HTML a line end is white space."""

# One line end between two lines that both hold something: hard-wrapped text, or a source file.
_WRAP = re.compile(r"(?<=\S)[^\S\n]*\n[^\S\n]*(?=\S)")


@dataclass(frozen=True)
class Style:
    """How a text is to be read."""

    format: Format = "text"
    sentences: Sentences | None = None
    """split: a line end and the end of a sentence both end a segment. unwrap: a single line end is
    a space where the lines (in a table, the cells) on both its sides have a letter, but not in
    <pre>. whole: the text, or each passage of markup, is one segment. None: as is USUAL."""
    ignore_tags: frozenset[str] = frozenset()
    """Elements of markup that are left as they are."""
    splitting_tags: frozenset[str] = frozenset()
    """Elements of markup whose tags end a text, of those that would not."""
    non_splitting_tags: frozenset[str] = frozenset()
    """Elements of markup whose tags may stand inside a text, besides those of HTML that do."""
    letterless: bool = False
    """Whether what has no letter is a segment too, as it is to a model that answers."""


class Cut(NamedTuple):
    """A text, cut."""

    segments: tuple[str, ...]
    frame: Frame
    """Puts the translations of the segments in their places."""
    wants_links: bool = False
    """Whether the frame has tags to put between their words."""


def read_markup(text: str, style: Style) -> Markup | None:
    """The passages of a text and the markup around them; None of plain text."""
    if style.format == "text":
        return None
    return split_markup(
        text,
        style.format,
        style.ignore_tags,
        splitting_tags=style.splitting_tags,
        non_splitting_tags=style.non_splitting_tags,
    )


def cut(text: str, language: str, style: Style, markup: Markup | None = None) -> Cut:
    """Cut a text.

    Args:
        language: as in `mt.text.split_document`.
        markup: what `read_markup` gives, if it is there already; that takes most of the time.
    """
    sentences = style.sentences or USUAL[style.format]
    markup = markup or read_markup(text, style)
    if markup is None:
        document = _document(text, language, sentences, style.letterless)
        return Cut(document.segments, document)
    preformatted: Sentences = "split" if sentences == "unwrap" else sentences
    documents = [
        _document(each, language, preformatted if has_lines else sentences, style.letterless)
        for each, has_lines in zip(markup.texts, markup.preformatted, strict=True)
    ]
    segments = tuple(segment for document in documents for segment in document.segments)
    return Cut(segments, _MarkedUp(markup, documents), markup.has_tags_inside)


@dataclass(frozen=True)
class _MarkedUp:
    """Markup around documents around segments."""

    markup: Markup
    documents: Sequence[Document]

    def join(self, translations: Sequence[str], links: Sequence[Links] = ()) -> str:
        texts, linked = [], []
        rest = zip(translations, links or [()] * len(translations), strict=True)
        for document, passage in zip(self.documents, self.markup.passages, strict=True):
            own = [*islice(rest, len(document.segments))]
            texts.append(document.join([translation for translation, _ in own]))
            linked.append(_links(document, own, texts[-1]) if passage.tags else ())
        return self.markup.join(texts, linked)


def _links(document: Document, translations: Sequence[tuple[str, Links]], joined: str) -> Links:
    """Of a whole text: what its segments have, or what can be guessed; what stands around them is
    the same in both."""
    text = document.join(document.segments)
    # Counted in the whole, where the end of a part and the next may be one word.
    ends, ends_joined = ([word.end() for word in find_words(each)] for each in (text, joined))
    found: list[tuple[int, int]] = []
    start = start_joined = 0
    for part, (translation, links) in _parts(document, translations):
        first, first_joined = bisect_right(ends, start), bisect_right(ends_joined, start_joined)
        found += ((first + n, first_joined + m) for n, m in links)
        start, start_joined = start + len(part), start_joined + len(translation)
    return found


def _parts(
    document: Document, translations: Sequence[tuple[str, Links]]
) -> Iterator[tuple[str, tuple[str, Links]]]:
    """Every stretch of a text, what stands for it in the translation, and their links."""
    for gap, segment, (translation, links) in zip(
        document.gaps, (*document.segments, ""), (*translations, ("", ())), strict=True
    ):
        yield gap, (gap, [(n, n) for n, _ in enumerate(find_words(gap))])
        yield segment, (translation, links or guess_links(segment, translation))


def _document(text: str, language: str, sentences: Sentences, letterless: bool) -> Document:
    if sentences == "whole":
        return whole_document(text, letterless=letterless)
    if sentences == "unwrap":
        return _unwrapped(text, language, letterless)
    return split_document(text, language, letterless=letterless)


def _unwrapped(text: str, language: str, letterless: bool) -> Document:
    # As long as the text, so that segments stand in the one where they stand in the other.
    flat = _WRAP.sub(lambda wrap: " " * len(wrap[0]) if _goes_on(wrap) else wrap[0], text)
    document = split_document(flat, language, letterless=letterless)
    pairs = zip(document.gaps, (*document.segments, ""), strict=True)
    ends = accumulate(map(len, chain.from_iterable(pairs)), initial=0)
    stretches = [text[start:end] for start, end in pairwise(ends)]
    segments = tuple(_WRAP.sub(" ", segment) for segment in stretches[1:-1:2])
    return Document(tuple(stretches[::2]), segments)


def _goes_on(wrap: re.Match[str]) -> bool:
    """Whether a line goes on behind its end: both cells that meet there have a letter."""
    text, (start, end) = wrap.string, wrap.span()
    before = text[text.rfind("\n", 0, start) + 1 : start]
    stop = text.find("\n", end)
    behind = text[end : stop if stop >= 0 else None]
    return has_letters(split_cells(before)[-1]) and has_letters(split_cells(behind)[0])
