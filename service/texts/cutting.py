"""Which stretches of a text are translated, and what stands around them.

Knows plain text, HTML and XML, and how lines and sentences are to be told apart. Does not know
languages or models. Whatever a style says, what is not translated stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Literal, NamedTuple

from mt.markup import Markup, split_markup
from mt.text import Document, is_readable, split_document, whole_document
from mt.translation import Frame

Sentences = Literal["split", "unwrap", "whole"]

# One line end between two lines that both hold something: hard-wrapped text, or a source file.
_WRAP = re.compile(r"(?<=\S)[^\S\n]*\n[^\S\n]*(?=\S)")


@dataclass(frozen=True)
class Style:
    """How a text is to be read."""

    format: Literal["text", "html", "xml"] = "text"
    sentences: Sentences | Literal["unsplit"] = "split"
    """split: a line end and the end of a sentence both end a segment. unwrap: a single line end is
    a space. whole: the text is one segment, if it holds a letter or digit. unsplit: the same,
    whatever it holds, for models that take texts as a whole."""
    ignore_tags: frozenset[str] = frozenset()
    """Elements of markup that are left as they are."""


class Cut(NamedTuple):
    """A text, cut."""

    segments: tuple[str, ...]
    frame: Frame
    """Puts the translations of the segments in their places."""


def cut(text: str, language: str, style: Style) -> Cut:
    """Cut a text; `language` as in `mt.text.split_document`."""
    if style.format == "text":
        document = _document(text, language, style.sentences)
        return Cut(document.segments, document)
    markup = split_markup(text, style.format, style.ignore_tags)
    documents = [_document(each, language, style.sentences) for each in markup.texts]
    segments = tuple(segment for document in documents for segment in document.segments)
    return Cut(segments, _MarkedUp(markup, documents))


@dataclass(frozen=True)
class _MarkedUp:
    """Markup around documents around segments."""

    markup: Markup
    documents: Sequence[Document]

    def join(self, translations: Sequence[str]) -> str:
        shares = _shares(translations, [len(each.segments) for each in self.documents])
        texts = (each.join(own) for each, own in zip(self.documents, shares, strict=True))
        return self.markup.join(list(texts))


def _shares(items: Sequence[str], counts: Sequence[int]) -> Iterator[Sequence[str]]:
    for start, stop in islice(pairwise(accumulate(counts, initial=0)), len(counts)):
        yield items[start:stop]


def _document(text: str, language: str, sentences: Sentences | Literal["unsplit"]) -> Document:
    if sentences == "split":
        return split_document(text, language)
    if sentences == "unwrap":
        return split_document(_WRAP.sub(" ", text), language)
    if sentences == "whole" and not is_readable(text):
        return Document((text,), ())
    return whole_document(text)
