"""The number of a verb, with up to three nouns between it and its subject.

"The keys to the cabinet are": nouns between that are of the other number are attractors, which pull
the verb to theirs (Bock and Miller 1991; Linzen, Dupoux and Goldberg 2016, section 2). As a control
the nouns between may all be of the subject's own number. What is said need not make sense, so that
nothing but the form of the subject tells the form of the verb.

Knows words and how they are put together. Does not know how many sentences are wanted.
"""

from __future__ import annotations

from random import Random

from mt.datasets.agreement.choice import Choice
from mt.datasets.agreement.split import Split, partners, split_of

MOST_NOUNS = 3
"""Nouns between subject and verb, at most."""

NOUNS = (
    *(("boy", "boys"), ("girl", "girls"), ("man", "men"), ("woman", "women")),
    *(("child", "children"), ("teacher", "teachers"), ("student", "students")),
    *(("doctor", "doctors"), ("friend", "friends"), ("brother", "brothers")),
    *(("sister", "sisters"), ("dog", "dogs"), ("cat", "cats"), ("bird", "birds")),
    *(("horse", "horses"), ("book", "books"), ("key", "keys"), ("letter", "letters")),
    *(("picture", "pictures"), ("box", "boxes"), ("car", "cars"), ("house", "houses")),
    *(("table", "tables"), ("door", "doors"), ("room", "rooms"), ("window", "windows")),
    *(("tree", "trees"), ("flower", "flowers"), ("train", "trains"), ("bus", "buses")),
    *(("ship", "ships"), ("knife", "knives"), ("cup", "cups"), ("chair", "chairs")),
    *(("bag", "bags"), ("apple", "apples"), ("egg", "eggs"), ("river", "rivers")),
    *(("song", "songs"), ("story", "stories")),
)
DETERMINERS = ("the", "my", "your", "his", "her", "our")
"""None tells the number of its noun."""
PREPOSITIONS = ("near", "behind", "next to", "with", "by")
PREDICATES = (
    ("is", "are", "here"),
    ("is", "are", "old"),
    ("is", "are", "still there"),
    ("was", "were", "new"),
    ("was", "were", "very good"),
    ("has", "have", "a name"),
    ("looks", "look", "beautiful"),
    ("seems", "seem", "small"),
    ("needs", "need", "help"),
    ("comes", "come", "from Boston"),
)


def verb_choice(
    random: Random, plural: bool, *, split: Split, nouns: int, attract: bool | None
) -> Choice:
    """A sentence whose verb is to be chosen.

    Args:
        plural: whether the subject is.
        split: the text it is for: no other has its pairs of a subject and a noun between, or,
            without nouns between, of a subject and its determiner.
        nouns: between subject and verb.
        attract: whether all nouns between are of the other number; None draws the number of each.
    """
    subject = random.randrange(len(NOUNS))
    between = random.sample(partners(subject, len(NOUNS), split), nouns)
    determiners = [
        determiner
        for number, determiner in enumerate(DETERMINERS)
        if nouns or split_of(subject, number) == split
    ]
    words = [random.choice(determiners).capitalize(), NOUNS[subject][plural]]
    others = []
    for noun in between:
        number = random.random() < 0.5 if attract is None else plural != attract
        phrase = (random.choice(PREPOSITIONS), random.choice(DETERMINERS), NOUNS[noun][number])
        words += " ".join(phrase).split()
        others.append(len(words) - 1)
    singular_form, plural_form, rest = random.choice(PREDICATES)
    return Choice(
        "verb",
        _case(nouns, attract),
        " ".join(words),
        (singular_form, plural_form),
        plural,
        f"{rest}.",
        decider=1,
        others=tuple(others),
    )


def attractors(count: int) -> str:
    """The name of a case with so many."""
    return f"{count} attractor{'s' * (count != 1)}"


def own_number(count: int) -> str:
    """The name of a case with so many nouns of the subject's own number between."""
    return f"{count} noun{'s' * (count > 1)} of the same number"


def _case(nouns: int, attract: bool | None) -> str:
    if attract is None:
        return f"{nouns} nouns between"
    return attractors(nouns) if attract or not nouns else own_number(nouns)
