"""Agreement in text that people wrote, found by stated patterns.

Nouns are known from the text itself: a word is a singular noun if it stands somewhere behind "a" or
"an" and its plural occurs too; the plural ends in -s or -es, or is one of `IRREGULAR`. Then

    DET [word] NOUN (PREP [DET] [word] NOUN){0,3} VERB      at the start of a line, such as
    "The keys to the cabinet are" and "The price of these two books was"
    PERSON ... LINK (he|she)                                at the start of a line, such as
    "Mary said that she" and "Tom left, but Mary stayed because she"

are choices, where no other pronoun of the third person gives the second away, and a second PERSON
follows a LINK, which makes it a new subject. The right form is the one that was written. What is
found is left out, and counted, if a word is no known noun, or if it does not agree by these rules:
mostly they have mistaken a word, as in "The majority of us are", or the pronoun is somebody else's.
The larger the text, the more nouns are known.

Knows English words. Does not know models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from mt.datasets.agreement.choice import Choice
from mt.datasets.agreement.pronouns import CHANGED, FIRST, SAME
from mt.datasets.agreement.verbs import attractors, own_number

VERBS = {"is": "are", "was": "were", "has": "have", "does": "do"}
"""Singular and plural; of other verbs the plural might be another form or a noun."""
DETERMINERS = "the my your his her our their its this that these those some"
PREPOSITIONS = "of in on to from with for at near behind under by between about"
IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "wives": "wife",
    "knives": "knife",
    "lives": "life",
    "leaves": "leaf",
}
HE = "tom john man boy father brother son uncle grandfather husband king gentleman"
SHE = "mary alice woman girl mother sister daughter aunt grandmother wife queen lady"
LINKS = "that because when if before after and but while as since until though although"
GIVEN_AWAY = "he she him her his hers himself herself they them their"
NOT_NOUNS = "will would can could may might must shall should need"
"""Words that would be taken for nouns and stand before verbs that they change."""

_WORD = re.compile(r"[A-Za-z]+")
_DET, _PREP, _LINK = (words.replace(" ", "|") for words in (DETERMINERS, PREPOSITIONS, LINKS))
_VERB = "|".join(f"{one}|{more}" for one, more in VERBS.items())
_SUBJECT = re.compile(
    rf"(?P<before>(?:{_DET})(?: [a-z]+)? (?P<subject>[a-z]+)"
    rf"(?P<between>(?: (?:{_PREP})(?: (?:{_DET}|an?))?(?: [a-z]+)? [a-z]+){{0,3}}))"
    rf" (?P<verb>{_VERB})\b(?P<after>.*)",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    rf"(?P<before>[^.!?:;\"]*\b(?:{_LINK})) (?P<pronoun>he|she)\b(?P<after>.*)",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """What a text has."""

    choices: list[Choice]
    left_out: Counter[str]
    """Lines that fit a pattern and do not agree by the rules, or have a word that is no known noun,
    by kind of choice."""


def find(lines: Sequence[str]) -> Found:
    """The choices in the lines of an English text; of equal lines the first."""
    different = list(dict.fromkeys(line.strip() for line in lines))
    plural = _numbers(different)
    found = Found([], Counter())
    for line in different:
        for choice in (_verb(line, plural), _pronoun(line)):
            if isinstance(choice, Choice):
                found.choices.append(choice)
            elif choice is not None:
                found.left_out[choice] += 1
    return found


def _numbers(lines: Sequence[str]) -> dict[str, bool]:
    """Whether a noun is a plural, of the nouns that a text tells to be such."""
    words: set[str] = set()
    behind_a: set[str] = set()
    for line in lines:
        own = [word.lower() for word in _WORD.findall(line)]
        words.update(own)
        behind_a.update(b for a, b in pairwise(own) if a in ("a", "an"))
    singulars = behind_a.difference(NOT_NOUNS.split())
    pairs = [(s, word) for word in words for s in _singulars(word) if s in singulars]
    return {singular: False for singular, _ in pairs} | {word: True for _, word in pairs}


def _singulars(word: str) -> Iterator[str]:
    """What a word may be the plural of."""
    if word in IRREGULAR:
        yield IRREGULAR[word]
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]


def _verb(line: str, plural: dict[str, bool]) -> Choice | str | None:
    """The choice of a verb, the kind of what is left out, or None: the pattern does not fit."""
    match = _SUBJECT.match(line)
    if match is None:
        return None
    words = match["before"].lower().split()
    # A noun stands before each preposition, and before the verb.
    places = [
        n for n, follower in enumerate([*words[1:], "of"]) if follower in PREPOSITIONS.split()
    ]
    subject, *between = places
    verb = match["verb"].lower()
    one, more = next(pair for pair in VERBS.items() if verb in pair)
    numbers = [plural.get(words[place]) for place in places]
    if None in numbers or words[subject] != match["subject"].lower():
        return "verb"
    if numbers[0] != (verb == more):
        return "verb"
    attracting = sum(number != numbers[0] for number in numbers[1:])
    own = len(between) - attracting
    told = [attractors(attracting)] if attracting or not own else []
    told += [own_number(own)] if own else []
    return Choice(
        "verb",
        ", ".join(told),
        match["before"],
        (one, more),
        verb == more,
        match["after"].strip(),
        decider=subject,
        others=tuple(between),
    )


def _pronoun(line: str) -> Choice | str | None:
    """As `_verb`, of a pronoun."""
    if not _people(line.lower().split(maxsplit=2)[:2]):
        return None
    match = _PRONOUN.match(line)
    if match is None:
        return None
    words = [word.strip(",") for word in match["before"].lower().split()]
    people = _people(words)
    if len(people) > 2 or set(GIVEN_AWAY.split()).intersection(words):
        return None
    decider = people[-1]
    if len(people) == 2:
        start = decider - (words[decider - 1] in DETERMINERS.split())
        if words[start - 1] not in LINKS.split() or start - people[0] < 3:
            return None  # mentioned only, or one of two subjects
    she = words[decider] in SHE.split()
    if she != (match["pronoun"].lower() == "she"):
        return "pronoun"
    case = FIRST
    if len(people) == 2:
        case = SAME if (words[people[0]] in SHE.split()) == she else CHANGED
    return Choice(
        "pronoun",
        case,
        match["before"],
        ("he", "she"),
        she,
        match["after"].strip(),
        decider=decider,
        others=tuple(people[:-1]),
    )


def _people(words: Sequence[str]) -> list[int]:
    """Where they stand."""
    return [n for n, word in enumerate(words) if word in HE.split() + SHE.split()]
