"""The pronoun that stands for a person, before and after a new subject appears.

"Mary opened the window because she", but "Mary opened the window, but Tom stayed at home because
he": the pronoun is that of the last subject, as readers take it as a rule (Crawley, Stevenson and
Kleinman 1990), so a model has to give up the one person for the other where the subject changes. A
person who is only mentioned ("with Alice") is no subject, and changes nothing. Everyday text has
few names, so kin and the like are among the persons.

Knows words and how they are put together. Does not know how many sentences are wanted.
"""

from __future__ import annotations

from functools import cache
from random import Random

from mt.datasets.agreement.choice import Choice
from mt.datasets.agreement.split import Split, partners, split_of

HE = ("Tom", "John", "my father", "my brother", "the boy", "the man", "my uncle", "my son")
SHE = ("Mary", "Alice", "my mother", "my sister", "the girl", "the woman", "my aunt", "my daughter")
PEOPLE = HE + SHE
ACTIONS = (
    "opened the window",
    "read the letter",
    "bought a car",
    "stayed at home",
    "left the house",
    "went to school",
    "walked to the station",
    "sat at the table",
    "played tennis",
    "worked in the garden",
)
TIMES = ("", "yesterday", "last night", "this morning", "again")
JOINTS = ("but", "and then", "while")
"""Before a new subject."""
ENDS = (
    ("because", "was tired"),
    ("because", "was hungry"),
    ("when", "was young"),
    ("although", "was busy"),
    ("and said that", "was happy"),
    ("and thought that", "was alone"),
)
"""Before the pronoun, and behind it."""

FIRST, MENTIONED = "first subject", "first subject, another person mentioned"
CHANGED, SAME = "new subject", "new subject, of the same gender"
CHANGED_MENTIONED = "new subject, another person mentioned"
CASES = (FIRST, MENTIONED, CHANGED, SAME, CHANGED_MENTIONED)
"""Persons besides the last subject are of the other gender, but for the control `SAME`."""


def pronoun_choice(random: Random, she: bool, *, split: Split, case: str) -> Choice:
    """A sentence whose pronoun is to be chosen.

    Args:
        she: whether the last subject is.
        split: the text it is for: no other has its pairs of the last subject and another person,
            or, without one, of a subject and an action.
        case: one of `CASES`.
    """
    near = _near(she, (not she) ^ (case == SAME), split)
    last = random.choice(list(near))
    actions = [
        action
        for number, action in enumerate(ACTIONS)
        if case != FIRST or split_of(last, number) == split
    ]
    words: list[str] = []
    others = []
    if case in (CHANGED, SAME, CHANGED_MENTIONED):
        words += PEOPLE[random.choice(near[last])].split()
        others.append(len(words) - 1)
        words += f"{random.choice(ACTIONS)}, {random.choice(JOINTS)}".split()
    words += PEOPLE[last].split()
    decider = len(words) - 1
    words += f"{random.choice(actions)} {random.choice(TIMES)}".split()
    if case in (MENTIONED, CHANGED_MENTIONED):
        words += ["with", *PEOPLE[random.choice(near[last])].split()]
        others.append(len(words) - 1)
    link, rest = random.choice(ENDS)
    before = " ".join([*words, link])
    return Choice(
        "pronoun",
        case,
        before[0].upper() + before[1:],
        ("he", "she"),
        she,
        f"{rest}.",
        decider=decider,
        others=tuple(others),
    )


@cache
def _near(she: bool, other_she: bool, split: Split) -> dict[int, list[int]]:
    """Persons of one gender, with those of the other gender asked for that a text pairs them with;
    those who have none are left out."""
    own, others = (
        range(len(HE), len(PEOPLE)) if second else range(len(HE)) for second in (she, other_she)
    )
    near = {n: [m for m in partners(n, len(PEOPLE), split) if m in others] for n in own}
    return {subject: people for subject, people in near.items() if people}
