"""Character references such as &amp; and &#252;, read and written.

Knows the references of HTML and XML. Does not know tags. A reference in XML whose character is
not known here, such as one that the document's own DTD declares, is markup and stays where it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.entities import name2codepoint

from mt.markup.syntax import Kind

_REFERENCE = re.compile(r"&(?:#(?P<decimal>[0-9]+)|#x(?P<hex>[0-9A-Fa-f]+)|(?P<name>[\w:.-]+));")
# XML itself has five names. Other DTDs mostly take over those of XHTML, which are HTML 4's.
_NAMES = {name: chr(code) for name, code in name2codepoint.items()} | {"apos": "'"}
# html.unescape makes an int of it, which Python refuses to do beyond some thousand digits.
_LONG_NUMBER = re.compile(r"(?<=&#)[0-9]{9,}")
_NO_BREAK_SPACE = {"html": "&nbsp;", "xml": "&#160;"}


def unescape(text: str, kind: Kind) -> str:
    """A text with the characters that its references stand for."""
    if kind == "html":
        return html.unescape(_LONG_NUMBER.sub(lambda match: _shorten(match.group()), text))
    return _REFERENCE.sub(lambda match: _character(match) or match.group(), text)


def escape(text: str, kind: Kind) -> str:
    """A text without "<", ">", any "&" but of a reference, or no-break space, to be read back.

    Put in the place of a text, whatever it says is text, too.
    """
    return html.escape(text, quote=False).replace("\xa0", _NO_BREAK_SPACE[kind])


def between_unknown(text: str, kind: Kind) -> Iterator[tuple[int, int]]:
    """Start and end of each stretch of the text that holds no reference to be left alone."""
    start = 0
    if kind == "xml":
        for match in _REFERENCE.finditer(text):
            if _character(match) is None:
                yield start, match.start()
                start = match.end()
    yield start, len(text)


def _character(match: re.Match[str]) -> str | None:
    """What a reference in XML stands for, None where that is not known or no character."""
    if name := match["name"]:
        return _NAMES.get(name)
    decimal = match["decimal"]
    code = int(_shorten(decimal)) if decimal else int(match["hex"], 16)
    is_character = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000
    return chr(code) if is_character and code not in (0xFFFE, 0xFFFF) else None


def _shorten(number: str) -> str:
    """A decimal number of at most eight digits, beyond Unicode as before if it was."""
    return number.lstrip("0")[:8] or "0"
