"""Text with markup <-> texts to translate: tags, comments and all else survive by construction.

Knows the texts between markup and how they are put back. Does not know what becomes of them:
`mt.text` cuts a text into sentences and keeps the white space around them.

A text with markup is cut into stretches that alternate between gap and text, both slices of it. A
gap is markup, text that elements keep from translation, or text without letters. What comes back
for a text is escaped, so no translation can bring forth markup, and escaped markup stays so:

    <b>2 &lt; 3, ja?</b>   ->   "2 < 3, ja?"   ->   "2 < 3, yes?"   ->   <b>2 &lt; 3, yes?</b>

Every text between two tags is one of its own, so a sentence with a word in bold is translated in
three parts. To translate it as one, a text would have to reach to the end of its block (in HTML at
the tags of <p>, <li>, <td> and the like; in XML where the caller says), with the tags inside it
handed out as places, and `join` would put them where the translation has the words they were at.
Nothing outside of this room would change: what is handed out is still texts, and as many come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mt.language import has_letters
from mt.markup.elements import Span, text_spans
from mt.markup.references import between_unknown, escape, unescape
from mt.markup.syntax import Kind


@dataclass(frozen=True, slots=True)
class Markup:
    """A text cut into texts to translate and the gaps between them."""

    kind: Kind
    gaps: tuple[str, ...]
    """What stands around the texts, always one more: gap, text, gap, ..., text, gap."""
    originals: tuple[str, ...]
    """The texts as they were written, with their references."""
    texts: tuple[str, ...]
    """The texts to translate in reading order, their references read; each has a letter. White
    space at their ends belongs to them."""
    preformatted: tuple[bool, ...]
    """Of each text whether its line ends are seen, as in <pre>."""

    def join(self, translations: Sequence[str]) -> str:
        """The text with `translations[i]` in the place of `texts[i]`, escaped.

        A text that comes back unchanged stands there as it was written.
        """
        assert len(translations) == len(self.texts), (len(translations), len(self.texts))
        pieces = [self.gaps[0]]
        stretches = zip(self.texts, self.originals, translations, self.gaps[1:], strict=True)
        for text, original, translation, gap in stretches:
            pieces += [original if translation == text else escape(translation, self.kind), gap]
        return "".join(pieces)


def split_markup(text: str, kind: Kind, ignore_tags: frozenset[str] = frozenset()) -> Markup:
    """Cut any text, however damaged, so that `markup.join(markup.texts) == text`.

    Args:
        text: HTML or XML, whole or in part.
        kind: which of the two. In HTML the case of names does not matter.
        ignore_tags: names of elements whose content is left as it is, besides those `elements`
            tells of.

    Example:
        >>> split_markup("<p>Ein <b>H&uuml;ndchen</b></p>", "html").texts
        ('Ein ', 'Hündchen')
    """
    gaps: list[str] = []
    originals: list[str] = []
    texts: list[str] = []
    preformatted: list[bool] = []
    end = 0
    for start, stop, has_lines in _spans(text, kind, ignore_tags):
        readable = unescape(text[start:stop], kind)
        if has_letters(readable):
            gaps.append(text[end:start])
            originals.append(text[start:stop])
            texts.append(readable)
            preformatted.append(has_lines)
            end = stop
    gaps.append(text[end:])
    return Markup(kind, tuple(gaps), tuple(originals), tuple(texts), tuple(preformatted))


def _spans(text: str, kind: Kind, ignore_tags: frozenset[str]) -> Iterator[Span]:
    """Every stretch of text between markup."""
    for start, stop, preformatted in text_spans(text, kind, ignore_tags):
        for begin, end in between_unknown(text[start:stop], kind):
            yield Span(start + begin, start + end, preformatted)
