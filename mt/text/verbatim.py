"""What a text has that is the same in every language: addresses, placeholders, emoji.

Knows characters. Does not know what becomes of the rest of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_EMOJI = r"\u2600-\u2775\u2794-\u27bf\u2b00-\u2bff\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff"
"""Not what stands for a letter or digit in a circle, which Unicode takes for one."""

# Each part takes all it can and gives nothing back, so that no text takes long; but for the end of
# an address, which is no punctuation.
_VERBATIM = re.compile(
    rf"""
      \{{\{{ [^{{}}]*+ \}}\}}                            # {{{{ user.name }}}}
    | \$?\{{ [^{{}}\s]*+ \}}                           # {{name}}, {{0:.2f}}, ${{name}}
    | (?<![\w%]) % (?:\(\w++\)|\d++\$)?+ [-+#0]*+ \d*+ (?:\.\d++)?+ (?:hh|h|ll|l|[jzt])?
      [diouxXeEfFgGcsaA@] (?!\w)                     # %s, %1$s, %-5.2f, %(name)s, %@
    | (?<![\w%]) %[A-Za-z_]\w*+%                      # %name%
    | <[A-Za-z][^<>]*+(?<=/)>                         # <x id="1"/>
    | \b(?:https?://|www\.)[^\s<>"]*[^\s<>".,;:!?)\]}}'\u201c\u00bb]
    | (?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+
    | [{_EMOJI}][{_EMOJI}\ufe0f\u200d]*+
    """,
    re.VERBOSE,
)
_HINT = re.compile(rf"[{{%<@{_EMOJI}]|://|www\.")


def find_verbatim(text: str) -> Iterator[re.Match[str]]:
    """What is to be kept of a text as it is, in order.

    That is: URLs and e-mail addresses; placeholders such as {name}, {{ user.name }}, ${name}, %s,
    %1$d, %(name)s, %name% and <x id="1"/>; runs of emoji.
    """
    return _VERBATIM.finditer(text) if _HINT.search(text) else iter(())


def without_verbatim(text: str) -> str:
    """The text with a space in the place of each."""
    return _VERBATIM.sub(" ", text) if _HINT.search(text) else text
