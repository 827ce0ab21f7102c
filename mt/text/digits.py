"""Digits in a text: which belong together, and how another language writes the same number.

Knows characters, and of some languages how they mark thousands and fractions. Does not know what a
number means: 10.30 in an English text may be a time.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

DIGITS = frozenset("0123456789")
RUN = re.compile(r"[0-9]+")
"""Digits with none beside them."""
MARKS = frozenset(",.")
"""Between digits they make one number of two, in one language or another."""
_ANY = re.compile(r"\d")
_MARKED = re.compile(r"[0-9]+(?:[,.][0-9]+)+")
_ROW = re.compile(r"[0-9]+(?:\W[0-9]+)+")
_SIGN_BETWEEN = re.compile(r"[0-9][^\w\s][0-9]")


class _Marks(NamedTuple):
    thousands: str
    """Written between them."""
    fraction: str
    """Written before one, and so never between thousands: 3,500 is three and a half in German."""


_MARKS = {
    "de": _Marks(".", ","),
    "en": _Marks(",", "."),
    "es": _Marks(".", ","),
    "fr": _Marks(" ", ","),
    "it": _Marks(".", ","),
    "nl": _Marks(".", ","),
    "pt": _Marks(".", ","),
}
_SEPARATORS = ",.'\u2019 \xa0\u202f"
"""All that stand between thousands somewhere."""


class Number(NamedTuple):
    """A number as a text has it."""

    text: str
    whole: str
    """Its digits before the fraction, without separators."""
    fraction: str = ""
    """The digits of the fraction, if it has one."""


def has_digits(text: str) -> bool:
    """Whether there are any, of whatever script."""
    return _ANY.search(text) is not None


def find_runs(text: str) -> list[str]:
    """Every run of digits, in their order."""
    return RUN.findall(text)


def find_numbers(text: str, language: str) -> list[Number]:
    """The same, with those as one that the language's marks of thousands and fractions divide.

    Fractions are not looked for in longer rows, such as dates (12.05.2023), addresses and lists
    (1,2,3), nor in a language whose marks are not known.
    """
    return [*map(_number, _pattern(language).finditer(text))]


def has_rows(text: str, language: str) -> bool:
    """Whether nothing but a sign divides numbers somewhere, as in a date or time (12.05., 8:30)."""
    return _SIGN_BETWEEN.search(_pattern(language).sub("0", text)) is not None


def find_merged(text: str, translation: str) -> list[str]:
    """Numbers of a translation that are several of its text, which a mark made one: "2,300" of
    "2, 300"."""
    runs, *rows = (Counter(find_runs(each)) for each in (text, *_ROW.findall(text)))
    return [
        found
        for found in _MARKED.findall(translation)
        if (own := Counter(find_runs(found))) <= runs and not any(own <= row for row in rows)
    ]


def spellings(number: Number, language: str) -> list[str]:
    """How a text in a language may write a number that `find_numbers` found in another.

    Thousands with the separator of the language or without any, but those of four digits without,
    if they have none, since they may be years; an hour or a day without the zero before it (8 for
    08), too. A fraction behind the mark of the language, or behind a point if it has one, which may
    be the point of a time or a version.
    """
    marks, whole = _MARKS.get(language), number.whole
    found = [whole]
    least = 5 if number.text.startswith(whole) else 4
    if marks and len(whole) >= least and whole[0] != "0":
        first = len(whole) % 3 or 3
        groups = [whole[:first], *(whole[n : n + 3] for n in range(first, len(whole), 3))]
        found.append(marks.thousands.join(groups))
    if number.fraction:
        points = _points(number, marks)
        return [f"{each}{point}{number.fraction}" for each in found for point in points]
    if len(whole) == 2 and whole[0] == "0":
        found.append(whole[1])
    return found


def without_separators(text: str, language: str) -> str:
    """The text without the separators of thousands."""

    def plain(match: re.Match[str]) -> str:
        return _number(match).whole + (match.groupdict().get("fraction") or "")

    return _pattern(language).sub(plain, text)


def with_plain_digits(text: str) -> str:
    """The text with 0 to 9 in the place of other scripts' digits."""
    return text if text.isascii() else "".join(str(unicodedata.decimal(c, c)) for c in text)


def _points(number: Number, marks: _Marks | None) -> list[str]:
    """What may stand before the fraction of a number in a language of these marks."""
    if marks is None:
        return [",", "."]
    own = number.text[-len(number.fraction) - 1]
    # Never 2.500 for two and a half where that is two thousand.
    stays = own == "." and len(number.fraction) != 3
    return [*dict.fromkeys([marks.fraction, own] if stays else [marks.fraction])]


@functools.cache
def _pattern(language: str) -> re.Pattern[str]:
    """Matches every number of a text: "whole" and "fraction", or "other" without one."""
    marks = _MARKS.get(language)
    between = _SEPARATORS.translate(
        {ord(each): None for each in (marks.fraction if marks else ",.")}
    )
    grouped = f"[1-9][0-9]{{0,2}}(?:[{between}][0-9]{{3}})+"
    if marks is None:
        return re.compile(f"(?<![0-9])(?P<other>{grouped}(?![0-9])|[0-9]+)")
    point = re.escape(marks.fraction)
    # Two marks of fractions are none: 1,000,000 is a million in any text.
    million = f"[1-9][0-9]{{0,2}}(?:{point}[0-9]{{3}}){{2,}}"
    return re.compile(
        rf"""(?<![0-9])(?<![0-9][.,:/])
             (?P<whole>{grouped}|[0-9]+)(?P<fraction>{point}[0-9]+)(?![0-9]|[.,:/][0-9])
        |(?<![0-9])(?P<other>(?:{grouped}|{million})(?![0-9])|[0-9]+)""",
        re.VERBOSE,  # white space counts in brackets alone
    )


def _number(match: re.Match[str]) -> Number:
    found = match.groupdict()
    whole = found.get("whole") or found["other"]
    return Number(match[0], "".join(find_runs(whole)), (found.get("fraction") or "")[1:])
