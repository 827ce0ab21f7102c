"""What a reader could keep track of in a sentence, told at every piece by stated patterns.

Knows pieces as SentencePiece writes them, quotation marks, brackets, and a few words of some
languages. Does not know grammar: a subject is only recognised where a sentence begins with a word
that can be nothing else but one, or the determiner of one. Does not know models.

A tracker gives a sentence a value at each piece, for the text up to and including that piece, or
None where it tells nothing of that sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mt.segmentation import SPACE

Values = list[int]
Tracker = Callable[[Sequence[str]], Values | None]

OPENING_QUOTES, CLOSING_QUOTES, EITHER_QUOTE = "„", "”", '"“«»'
"""“ closes German quotations and opens English ones; » and « open or close by language too."""
OPENING_BRACKETS, CLOSING_BRACKETS = "([{", ")]}"

SINGULAR = {
    "de": "ich du er es man dieser dieses jeder jedes ein jemand niemand das der mein dein sein",
    "en": "i he she it this that a an one someone everyone nobody my",
    "fr": "je tu il elle on un une le la ce cette chaque quelqu'un",
    "es": "yo él ella un una el la este esta esto cada alguien",
}
"""First words of a sentence whose subject is singular, as a rule."""
PLURAL = {
    "de": "wir zwei drei vier fünf viele einige alle mehrere manche beide wenige",
    "en": "we they these those two three four five many some several both few all",
    "fr": "nous vous ils elles deux trois quatre les des ces plusieurs quelques",
    "es": "nosotros ellos ellas dos tres cuatro los las unos unas estos estas muchos varios",
}


def trackers(language: str) -> dict[str, Tracker]:
    """What can be looked for in text of a language, by its name.

    Args:
        language: ISO 639 code; the number of the subject is known of some languages only.
    """
    found: dict[str, Tracker] = {"word number": word_number}
    if language in SINGULAR:
        singular, plural = SINGULAR[language].split(), PLURAL[language].split()
        found["plural subject"] = lambda pieces: plural_subject(pieces, singular, plural)
    return found | {"open quotation": open_quotation, "open bracket": open_bracket}


def word_number(pieces: Sequence[str]) -> Values:
    """Which word of the sentence each piece belongs to, counted from 1."""
    number, numbers = 0, []
    for place, piece in enumerate(pieces):
        number += piece.startswith(SPACE) or place == 0
        numbers.append(number)
    return numbers


def plural_subject(
    pieces: Sequence[str], singular: Sequence[str], plural: Sequence[str]
) -> Values | None:
    """Whether the sentence's first word is of a plural; None if neither list has the word."""
    first = [
        piece for piece, number in zip(pieces, word_number(pieces), strict=True) if number == 1
    ]
    word = "".join(first).replace(SPACE, "").lower()
    if word not in singular and word not in plural:
        return None
    return [int(word in plural)] * len(pieces)


def open_quotation(pieces: Sequence[str]) -> Values | None:
    """Whether a quotation is open; None for a sentence without one that closes."""
    inside, values = False, []
    for piece in pieces:
        for mark in piece:
            if mark in OPENING_QUOTES + CLOSING_QUOTES:
                inside = mark in OPENING_QUOTES
            elif mark in EITHER_QUOTE:
                inside = not inside
        values.append(int(inside))
    return values if any(values) and not inside else None


def open_bracket(pieces: Sequence[str]) -> Values | None:
    """Whether a bracket is open; None for a sentence without one that closes."""
    depth, values = 0, []
    for piece in pieces:
        for mark in piece:
            depth += (mark in OPENING_BRACKETS) - (mark in CLOSING_BRACKETS)
            if depth < 0:
                return None
        values.append(int(depth > 0))
    return values if any(values) and depth == 0 else None
