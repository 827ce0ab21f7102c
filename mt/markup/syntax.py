r"""Where tags, comments and other markup begin and end.

Knows the tokenizer of the HTML standard (13.2.5) and the productions of XML 1.0, both made total:
what is never closed reaches to the end of the text, and a "<" that opens nothing is text. Does not
know elements: that a script holds no markup is told by `elements`.

To agree with browsers about every character is a matter of safety. What this file takes for text
is replaced by translations, and those must not come to stand inside a tag.

The time needed is linear in the text, whatever it holds: at each character of a pattern one way to
go on fits and the others do not, and as every way leads to a match, no stretch is read twice.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Literal, NamedTuple

Kind = Literal["html", "xml"]
"""The language of a text with markup. XHTML is read well as either."""


class Role(Enum):
    """What a stretch of markup does."""

    START = "start tag"
    END = "end tag"
    OTHER = "comment, declaration, processing instruction or CDATA section"


class Token(NamedTuple):
    """A stretch of markup: text[start:end]."""

    start: int
    end: int
    role: Role
    name: str = ""
    """The tag's name, in HTML in lower case."""
    is_empty: bool = False
    """Whether the tag ends with "/>", so that no end tag follows; HTML proper ignores that."""


# White space here is that of tags; "\s" would also take in what Unicode adds.
_ATTRIBUTE = r"""
    ([^\t\n\f\r />][^\t\n\f\r />=]*)
    (?: [\t\n\f\r ]* = [\t\n\f\r ]*
        (?: "([^"]*)(?:"|\Z) | '([^']*)(?:'|\Z) | ([^\t\n\f\r >]+) | (?=>) | \Z )
    )?
"""
_TAG = r"""
    (?P<slash>/?) (?P<name>FIRST [^\t\n\f\r />]*)
    (?: [\t\n\f\r ]+ | /(?!>) | ATTRIBUTE )*
    (?P<empty>/?) (?:>|\Z)
""".replace("ATTRIBUTE", _ATTRIBUTE.replace("([", "(?:["))
_HTML = r"""
    <(?: TAG
       | !--(?: -?> | .*?(?:--!?>|\Z) )
       | [!?/][^>]*(?:>|\Z)
     )
""".replace("TAG", _TAG.replace("FIRST", "[A-Za-z]"))
_XML = r"""
    <(?: TAG
       | !--.*?(?:-->|\Z)
       | !\[CDATA\[.*?(?:\]\]>|\Z)
       | \?.*?(?:\?>|\Z)
       | !DOCTYPE(?: QUOTED
                   | \[(?: QUOTED | <!--.*?(?:-->|\Z) | <\?.*?(?:\?>|\Z) | [^\]"'] )*(?:\]|\Z)
                   | [^\["'>] )*(?:>|\Z)
       | [!/][^>]*(?:>|\Z)
     )
""".replace("TAG", _TAG.replace("FIRST", r"[A-Za-z_:\x80-\U0010ffff]")).replace(
    "QUOTED", r""" "[^"]*(?:"|\Z) | '[^']*(?:'|\Z) """
)
_MARKUP = {
    "html": re.compile(_HTML, re.VERBOSE | re.DOTALL),
    "xml": re.compile(_XML, re.VERBOSE | re.DOTALL),
}
_NAME = re.compile(r"<[^\t\n\f\r />]*")
_ATTRIBUTES = re.compile(_ATTRIBUTE, re.VERBOSE)


def next_token(text: str, position: int, kind: Kind) -> Token | None:
    """The first markup at or behind a position outside of markup, None if there is none."""
    match = _MARKUP[kind].search(text, position)
    if match is None:
        return None
    if (name := match["name"]) is None:
        return Token(*match.span(), Role.OTHER)
    if kind == "html":
        name = name.lower()
    role = Role.END if match["slash"] else Role.START
    return Token(*match.span(), role, name, bool(match["empty"]))


def attributes(tag: str) -> dict[str, str]:
    """The attributes of a start tag as it stands in a text: names in lower case, values as is."""
    found: dict[str, str] = {}
    name = _NAME.match(tag)
    for match in _ATTRIBUTES.finditer(tag, name.end() if name else 0):
        attribute, *values = match.groups(default="")
        found.setdefault(attribute.lower(), "".join(values))
    return found


def raw_text_end(text: str, position: int, name: str) -> int:
    """Where the end tag of an HTML element stands that holds no markup; the text's end if nowhere.

    In a script this holds only where `hides_its_end` is False for what lies between.
    """
    # ASCII: else the long s of old print would be an "s" in another case.
    end_tag = re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
    match = end_tag.search(text, position)
    return match.start() if match else len(text)


def hides_its_end(script: str) -> bool:
    """Whether the next "</script>" may not be the end: "<!--" and "<script" stand before it."""
    return "<!--" in script and "<script" in script.lower()
