"""Families 9 to 14: where somebody is, told in ways that take some reading.

Knows negation, doubt, pronouns, two people at once, and the times of a day. In all of these a
statement about somebody replaces what earlier ones said.
"""

from __future__ import annotations

from random import Random

from mt.datasets.babi.story import (
    MOVES,
    OTHER_PEOPLE,
    OTHER_PLACES,
    PEOPLE,
    PLACES,
    ROUNDS,
    Story,
    other,
)

PRONOUNS = {"Mary": "she", "Sandra": "she", "John": "he", "Daniel": "he"}
THEN = ("Then", "After that", "Afterwards", "Following that")
TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
"""In their order."""


def simple_negation(random: Random) -> Story:
    """Whether somebody is in a place, where some statements say in which they are not."""
    told: list[str] = []
    places: dict[str, tuple[str, bool]] = {}  # the last place told, and whether they are there
    for _ in range(2 * random.choice(ROUNDS)):
        person = random.choice(PEOPLE)
        before, there = places.get(person, (None, False))
        if random.random() < 0.35:
            place = before if there and before else random.choice(PLACES)
            places[person] = place, False
            told.append(f"{person} is {random.choice(('not', 'no longer'))} in the {place}.")
        else:
            place = other(random, PLACES, before)
            places[person] = place, True
            told.append(f"{person} {random.choice((*MOVES, 'is in'))} the {place}.")
    person = random.choice(list(places))
    place, there = places[person]
    if there and random.random() < 0.35:
        place, there = other(random, PLACES, place), False
    return Story(tuple(told), f"Is {person} in the {place}?", "yes" if there else "no")


def indefinite_knowledge(random: Random) -> Story:
    """Whether somebody is in a place, where some statements leave two places open."""
    told: list[str] = []
    places: dict[str, tuple[str, ...]] = {}
    for _ in range(2 * random.choice(ROUNDS)):
        person = random.choice(OTHER_PEOPLE)
        if random.random() < 0.5:
            first, second = random.sample(OTHER_PLACES, 2)
            places[person] = first, second
            told.append(f"{person} is either in the {first} or the {second}.")
        else:
            place = other(random, OTHER_PLACES, *places.get(person, ()))
            places[person] = (place,)
            told.append(f"{person} {random.choice((*MOVES, 'is in'))} the {place}.")
    person = random.choice(list(places))
    possible = places[person]
    if random.random() < 1 / 3:
        place, answer = other(random, OTHER_PLACES, *possible), "no"
    else:
        place, answer = random.choice(possible), "yes" if len(possible) == 1 else "maybe"
    return Story(tuple(told), f"Is {person} in the {place}?", answer)


def basic_coreference(random: Random) -> Story:
    """Where somebody is of whom every second statement says he or she."""
    return _followed(random, people=1)


def compound_coreference(random: Random) -> Story:
    """Where one of two people is of whom every second statement says they."""
    return _followed(random, people=2)


def conjunction(random: Random) -> Story:
    """Where somebody is who went there alone or with somebody else."""
    told: list[str] = []
    places: dict[str, str] = {}
    for _ in range(2 * random.choice(ROUNDS)):
        people = random.sample(PEOPLE, random.choice((1, 2, 2)))
        told.append(f"{' and '.join(people)} {_go(random, places, people)}.")
    return _where(random, told, places)


def time_reasoning(random: Random) -> Story:
    """Where somebody was before or after a place, by times told in no order."""
    days = {}
    statements = []
    for person in random.sample(OTHER_PEOPLE, random.randint(1, 4)):
        times = sorted(random.sample(range(len(TIMES)), random.randint(2, 4)))
        places = random.sample(OTHER_PLACES, len(times))
        days[person] = places
        for time, place in zip(times, places, strict=True):
            words = f"{random.choice(MOVES)} the {place}"
            statements.append(
                f"{person} {words} {TIMES[time]}."
                if random.random() < 0.5
                else f"{TIMES[time].capitalize()} {person} {words}."
            )
    random.shuffle(statements)
    person = random.choice(list(days))
    index = random.randrange(len(days[person]) - 1)
    before, after = days[person][index : index + 2]
    questions = (
        (f"Where was {person} before the {after}?", before),
        (f"Where did {person} go after the {before}?", after),
    )
    return Story(tuple(statements), *random.choice(questions))


def _followed(random: Random, *, people: int) -> Story:
    """People go somewhere together, and then somewhere else by a pronoun."""
    told: list[str] = []
    places: dict[str, str] = {}
    for _ in range(random.choice(ROUNDS)):
        group = random.sample(PEOPLE, people)
        told.append(f"{' and '.join(group)} {_go(random, places, group)}.")
        pronoun = PRONOUNS[group[0]] if people == 1 else "they"
        told.append(f"{random.choice(THEN)} {pronoun} {_go(random, places, group)}.")
    return _where(random, told, places)


def _go(random: Random, places: dict[str, str], people: list[str]) -> str:
    """Move people to one place where none of them is; how that is said."""
    place = other(random, PLACES, *(places.get(person) for person in people))
    places |= dict.fromkeys(people, place)
    return f"{random.choice(MOVES)} the {place}"


def _where(random: Random, told: list[str], places: dict[str, str]) -> Story:
    person = random.choice(list(places))
    return Story(tuple(told), f"Where is {person}?", places[person])
