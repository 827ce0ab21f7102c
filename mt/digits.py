"""Digits in a text: which belong together, and when two spellings are of one number.

Knows characters, and of some languages how they write thousands. Does not know what a number
means: a point may divide thousands or a fraction.
"""

from __future__ import annotations

import re
import unicodedata

DIGITS = frozenset("0123456789")

_SEPARATORS = {"de": ".", "en": ",", "es": ".", "fr": " ", "it": ".", "nl": ".", "pt": "."}
"""Between thousands; of other languages none is written."""

RUN = re.compile(r"[0-9]+")
"""Digits with none beside them."""
_ANY = re.compile(r"\d")
# As in 1.000, 1,000, 1'000 and, with one of several spaces, 1 000.
_THOUSANDS = re.compile(r"(?<![0-9])[0-9]{1,3}(?:[.,'\u2019 \xa0\u202f][0-9]{3})+(?![0-9])")
_NUMBER = re.compile(f"{_THOUSANDS.pattern}|{RUN.pattern}")


def has_digits(text: str) -> bool:
    """Whether there are any, of whatever script."""
    return _ANY.search(text) is not None


def find_runs(text: str) -> list[str]:
    """Every run of digits, in their order."""
    return RUN.findall(text)


def find_numbers(text: str) -> list[str]:
    """The same, with those as one that separators of thousands divide, separators and all."""
    return _NUMBER.findall(text)


def spellings(number: str, language: str) -> list[str]:
    """How a text in a language may write a number that `find_numbers` found in another.

    Thousands with the separator of the language or without any, but those of four digits without,
    if they have none, since they may be years; an hour or a day without the zero before it (8 for
    08), too.
    """
    plain = "".join(find_runs(number))
    found = [plain]
    if language in _SEPARATORS and len(plain) > (3 if plain != number else 4):
        first = len(plain) % 3 or 3
        groups = [plain[:first], *(plain[n : n + 3] for n in range(first, len(plain), 3))]
        found.append(_SEPARATORS[language].join(groups))
    if len(plain) == 2 and plain[0] == "0":
        found.append(plain[1])
    return found


def without_separators(text: str) -> str:
    """The text without the separators of thousands."""
    return _THOUSANDS.sub(lambda number: "".join(find_runs(number[0])), text)


def with_plain_digits(text: str) -> str:
    """The text with 0 to 9 in the place of other scripts' digits."""
    return text if text.isascii() else "".join(str(unicodedata.decimal(c, c)) for c in text)
