"""Families 1 to 3 and 5 to 8: people who move about, take things, drop them and hand them on.

Knows a small world of which every story tells all there is to know. Nobody takes what is somewhere
else, gives to someone who is not there, or goes where they are.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from mt.datasets.babi.story import MOVES, OBJECTS, PEOPLE, PLACES, ROUNDS, Story, other

GIVERS = ("Bill", "Fred", "Jeff", "Mary")
TAKES = ("got the {}", "took the {}", "grabbed the {}", "picked up the {}")
DROPS = ("dropped the {}", "discarded the {}", "put down the {}", "left the {}")
GIVES = ("gave the {} to {}", "handed the {} to {}", "passed the {} to {}")
NUMBERS = ("none", "one", "two", "three")


class Gift(NamedTuple):
    """Somebody gave something to somebody."""

    giver: str
    thing: str
    receiver: str


class World:
    """People, places and things, and what has been told of them."""

    def __init__(self, random: Random, people: tuple[str, ...] = PEOPLE) -> None:
        self.random = random
        self.people = people
        self.told: list[str] = []
        self.places: dict[str, str] = {}
        """Where each person is known to be."""
        self.held: dict[str, list[str]] = {person: [] for person in people}
        """What each person carries, in the order in which they came by it."""
        self.holders: dict[str, None] = {}
        """Who has ever carried anything; a set in order."""
        self.journeys: dict[str, list[str]] = {}
        """The places of each thing that was ever taken; no two neighbours are equal."""
        self.gifts: list[Gift] = []

    def move(self) -> None:
        """Somebody goes somewhere else."""
        person = self.random.choice(self.people)
        place = other(self.random, PLACES, self.places.get(person))
        self.places[person] = place
        for thing in self.held[person]:
            self.journeys[thing].append(place)
        self.told.append(f"{person} {self.random.choice(MOVES)} the {place}.")

    def take(self) -> bool:
        """Somebody takes a thing that may be where they are; whether anybody could."""
        in_hand = {thing for things in self.held.values() for thing in things}
        chances = [
            (person, thing)
            for person, place in self.places.items()
            for thing in OBJECTS
            if thing not in in_hand and self.journeys.get(thing, [place])[-1] == place
        ]
        if not chances:
            return False
        person, thing = self.random.choice(chances)
        self._hand(person, thing)
        self.journeys.setdefault(thing, [self.places[person]])
        self._tell(person, self.random.choice(TAKES).format(thing))
        return True

    def drop(self) -> bool:
        """Somebody drops a thing they have; whether anybody could."""
        chances = [(person, thing) for person, held in self.held.items() for thing in held]
        if not chances:
            return False
        person, thing = self.random.choice(chances)
        self.held[person].remove(thing)
        self._tell(person, self.random.choice(DROPS).format(thing))
        return True

    def give(self) -> bool:
        """Somebody gives a thing to somebody in the same place; whether anybody could."""
        chances = [
            Gift(giver, thing, receiver)
            for giver, held in self.held.items()
            for thing in held
            for receiver, place in self.places.items()
            if receiver != giver and place == self.places[giver]
        ]
        if not chances:
            return False
        gift = self.random.choice(chances)
        self.held[gift.giver].remove(gift.thing)
        self._hand(gift.receiver, gift.thing)
        self.gifts.append(gift)
        words = self.random.choice(GIVES).format(gift.thing, gift.receiver)
        self.told.append(f"{gift.giver} {words}.")
        return True

    def live(self, *, moves: float, gives: float = 0.0) -> None:
        """One thing happens: a move with that probability, a gift, or a thing changes hands."""
        drawn = self.random.random()
        if drawn < gives and self.give():
            return
        if drawn < 1 - moves and (self.drop() if self.random.random() < 0.35 else self.take()):
            return
        self.move()

    def story(self, question: str, answer: str) -> Story:
        return Story(tuple(self.told), question, answer)

    def _hand(self, person: str, thing: str) -> None:
        self.held[person].append(thing)
        self.holders[person] = None

    def _tell(self, person: str, words: str) -> None:
        self.told.append(f"{person} {words}{self.random.choice((' there', ''))}.")


def single_supporting_fact(random: Random) -> Story:
    """Where somebody is: one statement says it. 2 to 10 statements."""
    world = World(random)
    for _ in range(2 * random.choice(ROUNDS)):
        world.move()
    person = random.choice(list(world.places))
    return world.story(f"Where is {person}?", world.places[person])


def two_supporting_facts(random: Random) -> Story:
    """Where a thing is: who has it, or dropped it, and where that person was then."""
    world = World(random)
    for _ in range(random.choice(ROUNDS) * random.randint(2, 9)):
        world.live(moves=0.5)
    while not world.journeys:
        world.live(moves=0.5)
    thing = random.choice(list(world.journeys))
    return world.story(f"Where is the {thing}?", world.journeys[thing][-1])


def three_supporting_facts(random: Random) -> Story:
    """Where a thing was before it came to where it came last."""
    world = World(random)
    for _ in range(random.choice(ROUNDS) * random.randint(4, 28)):
        world.live(moves=0.6)
    while not (travelled := [t for t, places in world.journeys.items() if len(places) > 1]):
        world.live(moves=0.6)
    thing = random.choice(travelled)
    before, now = world.journeys[thing][-2:]
    return world.story(f"Where was the {thing} before the {now}?", before)


def three_argument_relations(random: Random) -> Story:
    """Who gave what to whom, the last time that it was so."""
    world = World(random, GIVERS)
    gifts = random.choice((1, 1, 2, 3))
    while len(world.gifts) < gifts:
        world.live(moves=0.5, gives=0.4)
    giver, thing, receiver = world.gifts[-1]
    questions = (
        (f"What did {giver} give to {receiver}?", thing),
        (f"Who gave the {thing} to {receiver}?", giver),
        (f"Who did {giver} give the {thing} to?", receiver),
        (f"Who gave the {thing}?", giver),
        (f"Who received the {thing}?", receiver),
    )
    return world.story(*random.choice(questions))


def yes_no_questions(random: Random) -> Story:
    """Whether somebody is in a place, half of the times with yes."""
    world = World(random)
    for _ in range(2 * random.choice(ROUNDS)):
        world.live(moves=0.8)
    person = random.choice(list(world.places))
    here = world.places[person]
    yes = random.random() < 0.5
    place = here if yes else other(random, PLACES, here)
    return world.story(f"Is {person} in the {place}?", "yes" if yes else "no")


def counting(random: Random) -> Story:
    """How many things somebody holds who has held one."""
    world, person = _people_with_things(random)
    number = NUMBERS[len(world.held[person])]
    return world.story(f"How many objects is {person} carrying?", number)


def lists_and_sets(random: Random) -> Story:
    """Which things somebody holds, in the order in which they came by them."""
    world, person = _people_with_things(random)
    return world.story(f"What is {person} carrying?", ", ".join(world.held[person]) or "nothing")


def _people_with_things(random: Random) -> tuple[World, str]:
    """A world, and one of those who have held something in it."""
    world = World(random)
    for _ in range(random.choice(ROUNDS) * random.randint(2, 8)):
        world.live(moves=0.4, gives=0.1)
    while not world.holders:
        world.live(moves=0.4)
    return world, random.choice(list(world.holders))
