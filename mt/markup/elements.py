"""Which text stands inside elements that are left as they are.

Knows names of HTML elements and how elements lie in each other, as far as that decides what is
translated. Does not know how a tag is read from the text: `syntax` does.

Left as they are, with all that they hold:

- in HTML, computer text (`COMPUTER_TEXT`), graphics and formulas (svg, math), and elements whose
  content is no markup (`RAW`) but for the title, which is translated;
- in HTML and XML, elements with translate="no" or the class "notranslate", and those the caller
  names. One that is never closed reaches to the end of the element around it, or of the text.

Attributes are never translated.

What is markup and what is text can depend on how a browser builds its tree: a <style> inside of
<svg> may hold tags, and <noscript> does where there are no scripts. There both ways of reading are
followed, and if they ever differ, or elements of <svg> or <math> do not lie in each other as they
should, nothing more of the text is translated. It happens to text that was damaged, or made to
deceive a filter; the rest of it comes back as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mt.markup.syntax import Kind, Role, Token, attributes, hides_its_end, next_token, raw_text_end

COMPUTER_TEXT = frozenset({"code", "kbd", "samp", "var"})
FOREIGN = frozenset({"svg", "math"})
RAW = frozenset(
    {"iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp"}
)
"""Elements of HTML in which "<" opens nothing but their own end tag."""
TO_THE_END = frozenset({"frameset", "plaintext"})
"""Elements of HTML, both obsolete, behind whose start tag there is no text to translate."""
VOID = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input"}
    | {"keygen", "link", "meta", "param", "source", "track", "wbr"}
)
"""Elements of HTML without content or end tag."""
ENDED_BY_THE_NEXT = frozenset({"dd", "dt", "li", "option", "p", "td", "th", "tr"})
"""Elements of HTML that end where another of their kind begins, at the latest."""

INLINE = (
    frozenset({"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "data", "del", "dfn"})
    | {"em", "font", "i", "ins", "mark", "q", "s", "small", "span", "strike", "strong", "sub"}
    | {"sup", "time", "tt", "u"}
)
"""Elements of HTML that say something of words and do not part what stands around them."""

PREFORMATTED = frozenset({"listing", "pre", "textarea"})
"""Elements of HTML, and of XHTML read as XML, in which a line end is no mere white space."""

_UNTOUCHED = (COMPUTER_TEXT | FOREIGN | RAW) - {"title"}


class Span(NamedTuple):
    """A stretch of text: text[start:end]."""

    start: int
    end: int
    preformatted: bool
    """Whether it stands in an element of PREFORMATTED."""


def text_spans(text: str, kind: Kind, ignore_tags: frozenset[str]) -> Iterator[Span]:
    """Every stretch that is text to translate, in their order; some are empty."""
    reader = _HTMLReader(text, ignore_tags) if kind == "html" else _Reader(text, kind, ignore_tags)
    return reader.spans()


class _Reader:
    """Goes from tag to tag and knows which elements are open."""

    def __init__(self, text: str, kind: Kind, ignore_tags: frozenset[str]) -> None:
        self._text = text
        self._kind = kind
        self._ignore_tags = ignore_tags
        self._open: list[str] = []
        self._count = Counter[str]()
        self._raw_to = 0  # up to here there is no markup
        self._untouched_from: int | None = None  # depth of the outermost element left as it is

    def spans(self) -> Iterator[Span]:
        position: int | None = 0
        while position is not None:
            token = next_token(self._text, max(position, self._raw_to), self._kind)
            if self._translates_at(position):
                end = token.start if token else len(self._text)
                yield Span(position, end, any(self._count[name] for name in PREFORMATTED))
            position = self._after(token) if token else None

    def _translates_at(self, position: int) -> bool:
        return self._untouched_from is None

    def _after(self, token: Token) -> int | None:
        """Take in a tag. Where to read on; None if the rest is to be left as it is."""
        if token.role is Role.START and not token.is_empty:
            self._begin(token.name, untouched=self._is_untouched(token))
        elif token.role is Role.END:
            self._end(token.name)
        return token.end

    def _is_untouched(self, token: Token) -> bool:
        if token.name in self._ignore_tags:
            return True
        tag = self._text[token.start : token.end]
        if "translate" not in tag.lower():  # quick; both marks have it in them
            return False
        found = attributes(tag)
        no = found.get("translate", "").strip().lower() == "no"
        return no or "notranslate" in found.get("class", "").split()

    def _begin(self, name: str, *, untouched: bool) -> None:
        if untouched and self._untouched_from is None:
            self._untouched_from = len(self._open)
        self._open.append(name)
        self._count[name] += 1

    def _end(self, name: str) -> None:
        """Close the innermost element of a name and all in it; without one, do nothing."""
        while self._count[name]:
            last = self._open.pop()
            self._count[last] -= 1
            if last == name:
                break
        if self._untouched_from is not None and len(self._open) <= self._untouched_from:
            self._untouched_from = None


class _HTMLReader(_Reader):
    """Knows HTML's own elements besides."""

    def __init__(self, text: str, ignore_tags: frozenset[str]) -> None:
        super().__init__(text, "html", frozenset(name.lower() for name in ignore_tags))
        self._doubtful_to = 0  # up to here another way of reading finds no markup

    def _translates_at(self, position: int) -> bool:
        return super()._translates_at(position) and self._doubtful_to <= position

    def _after(self, token: Token) -> int | None:
        if token.start < self._doubtful_to < token.end:
            return None
        is_foreign = any(self._count[name] for name in FOREIGN)
        if token.role is Role.OTHER:
            return self._after_other(token, is_foreign)
        if token.role is Role.END:
            if is_foreign and token.name != self._open[-1]:
                return None
            return super()._after(token)
        return self._after_start(token, is_foreign)

    def _after_other(self, token: Token, is_foreign: bool) -> int | None:
        if is_foreign and self._text.startswith("<![CDATA[", token.start):
            end = self._text.find("]]>", token.start)
            return self._doubt(end + len("]]>") if end >= 0 else len(self._text), token)
        return token.end

    def _after_start(self, token: Token, is_foreign: bool) -> int | None:
        if token.name in TO_THE_END:
            return None
        if token.name in VOID:
            return token.end
        if token.name in ENDED_BY_THE_NEXT and self._open[-1:] == [token.name]:
            self._end(token.name)
        if token.name not in RAW:
            return super()._after(token)
        self._begin(token.name, untouched=self._is_untouched(token))
        end = raw_text_end(self._text, token.end, token.name)
        if token.name == "script" and hides_its_end(self._text[token.end : end]):
            return None
        if is_foreign or token.name == "noscript":
            return self._doubt(end, token)
        if token.start < self._doubtful_to < end:
            return None
        self._raw_to = end
        return token.end

    def _doubt(self, end: int, token: Token) -> int | None:
        """Read markup on, up to a place where the other reading begins to find some again."""
        if end == token.end:
            return end
        if token.start < self._doubtful_to:
            return None
        self._doubtful_to = end
        return token.end

    def _is_untouched(self, token: Token) -> bool:
        return token.name in _UNTOUCHED or super()._is_untouched(token)
