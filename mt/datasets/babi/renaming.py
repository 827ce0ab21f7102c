"""A story told again under other names: what is true of John is then true of Sandra.

Knows which words of a family could stand for each other. Does not know what a story says: names are
exchanged throughout, in statements, question and answer alike, so the answer still follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from mt.datasets.babi.kinds import AGENTS, ANIMALS, COLOURED, FEARFUL, SPECIES
from mt.datasets.babi.kinds import COLOURS as COATS
from mt.datasets.babi.space import COLOURS, SHAPES, THINGS
from mt.datasets.babi.story import OBJECTS, OTHER_PEOPLE, OTHER_PLACES, PEOPLE, PLACES, Story
from mt.datasets.babi.whereabouts import PRONOUNS
from mt.datasets.babi.world import GIVERS

Kind = Sequence[Sequence[str]]
"""Words that could stand for each other; in each row one form of all of them, in the same order."""

_MEN, _WOMEN = (
    tuple(person for person in PEOPLE if PRONOUNS[person] == pronoun) for pronoun in ("he", "she")
)
# Sheep stay sheep: one word for one and for many could not be told apart.
_BEASTS = {one: many for one, many in ANIMALS.items() if one != many}
_FORMS = tuple(_BEASTS), tuple(_BEASTS.values()), tuple(map(str.capitalize, _BEASTS.values()))

KINDS: Mapping[str, Sequence[Kind]] = {
    **dict.fromkeys(
        ("qa1", "qa2", "qa3", "qa6", "qa7", "qa8", "qa9", "qa12", "qa13"),
        ((PEOPLE,), (PLACES,), (OBJECTS,)),
    ),
    "qa5": ((GIVERS,), (PLACES,), (OBJECTS,)),
    **dict.fromkeys(("qa4", "qa19"), ((PLACES,),)),
    **dict.fromkeys(("qa10", "qa14"), ((OTHER_PEOPLE,), (OTHER_PLACES,))),
    "qa11": ((_MEN,), (_WOMEN,), (PLACES,)),
    "qa15": ((FEARFUL,), _FORMS),
    "qa16": ((SPECIES,), (COATS,), (COLOURED,)),
    "qa17": ((COLOURS,), (SHAPES,)),
    "qa18": ((THINGS,),),
    # What the hungry do is the same in all stories.
    "qa20": ((AGENTS,),),
}
"""By family, which kinds of words are exchanged within themselves."""


def renamed(name: str, story: Story, random: Random) -> Story:
    """A story of that family with names drawn anew; it may be the old one."""
    names: dict[str, str] = {}
    for forms in KINDS[name]:
        order = random.sample(range(len(forms[0])), len(forms[0]))
        for words in forms:
            names |= {word: words[place] for word, place in zip(words, order, strict=True)}
    # Line by line: no name holds a line end.
    text = "\n".join((*story.statements, story.question, story.answer))
    told = _any_of(tuple(names)).sub(lambda found: names[found[0]], text)
    *statements, question, answer = told.split("\n")
    return Story(tuple(statements), question, answer)


@cache
def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first: a box of chocolates is no box.
    ordered = sorted(words, key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, ordered))})\b")
