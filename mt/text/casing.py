"""ALL CAPS, Title Case and all lower case: what a model is shown instead, and the way back.

Knows Unicode's upper and lower case. Does not know languages, tokenizers or models: which of two
spellings a vocabulary knows better is told by the cost it is handed.

A model that learnt from ordinary text has hardly seen a sentence in capitals. So such a segment is
truecased (Lita et al. 2003) before translation, and its translation is put into its case again:

    DER HUND BELLT.  ->  Der Hund bellt.  ->  The dog is barking.  ->  THE DOG IS BARKING.

Truecasing starts from the lower-case text and takes for each word the spelling that costs least. So
"der hund bellt." takes the same way, but for the last step, and the two translations differ in case
alone. Segments in ordinary case are left as they are.

- A letter counts as capital or small only if it has one counterpart: ß, as in "STRAßE", is neither.
- A word is a run of letters, with apostrophes and combining accents, that no digit or underscore
  stands before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

Cost = Callable[[str], tuple[int, ...]]
"""What a vocabulary needs to spell a word; less is better known."""

MIN_CAPITALS = 7
"""Capitals that make a segment without small letters ALL CAPS. Fewer may be an acronym or two, such
as NATO or UNESCO, unless there is an exclamation mark."""
SURE_TITLE_WORDS = 5
"""Words, each with a capital, that make a segment Title Case. German has many of four: "Kennen Sie
Toms Eltern?"."""
LIKELY_TITLE_WORDS = 3
"""Words that are enough if the vocabulary knows one of them, not the first, better without its
capital."""

_WORD = re.compile(r"(?<!\w)[^\W\d_](?:[^\W\d_]|[\u0300-\u036f'’])*")


class Case(Enum):
    """How the letters of a segment are written."""

    ORDINARY = "ordinary"
    LOWER = "lower"
    ALL_CAPS = "all caps"
    TITLE = "title"


def find_case(segment: str, cost: Cost) -> Case:
    """The case of a segment; ORDINARY wherever in doubt, and where no letter has case."""
    capitals = sum(map(_is_capital, segment))
    if not any(map(_is_small, segment)):
        sure = capitals >= MIN_CAPITALS or (capitals > 1 and "!" in segment)
        return Case.ALL_CAPS if sure else Case.ORDINARY
    if not capitals:
        return Case.LOWER
    return Case.TITLE if _is_title(segment, cost) else Case.ORDINARY


def truecase(segment: str, cost: Cost) -> str:
    """A segment with each word in lower case, capitalised or in capitals, whichever costs least.

    Where costs are equal, the word that opens the segment is capitalised and any other is lower
    case. The result depends on the segment's lower-case text only.
    """
    lower = segment.lower()
    opening = re.search(r"\w", lower)

    def cheapest(match: re.Match[str]) -> str:
        word = match.group()
        spellings = [word, _capitalise(word), word.upper()]
        if opening and match.start() == opening.start():
            spellings[:2] = reversed(spellings[:2])
        # In capitals "ß" is "SS", which is another word. min takes the first of equal ones.
        return min((each for each in spellings if each.lower() == word), key=cost)

    return _WORD.sub(cheapest, lower)


def restore(translation: str, case: Case) -> str:
    """A translation in the case of its source.

    Title Case capitalises the first letter of every word and leaves the others, "o'clock" becoming
    "O'clock" and "iPhone" "IPhone". What was all lower case gets the case the model gave it.
    """
    if case is Case.ALL_CAPS:
        return translation.upper()
    if case is Case.TITLE:
        return _WORD.sub(lambda match: _capitalise(match.group()), translation)
    return translation


def _is_title(segment: str, cost: Cost) -> bool:
    words = [word for word in _WORD.findall(segment) if word.lower() != word.upper()]
    if len(words) < LIKELY_TITLE_WORDS:
        return False
    if not all(_is_capital(word[0]) and not any(map(_is_capital, word[1:])) for word in words):
        return False
    return len(words) >= SURE_TITLE_WORDS or any(
        cost(word.lower()) < cost(word) for word in words[1:]
    )


def _is_capital(letter: str) -> bool:
    return letter != letter.lower()


def _is_small(letter: str) -> bool:
    capital = letter.upper()
    return letter != capital and len(capital) == 1


def _capitalise(word: str) -> str:
    # Of a letter such as "ǆ" the capital that opens a word is "ǅ": title(), not upper().
    return word[0].title() + word[1:]
