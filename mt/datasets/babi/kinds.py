"""Families 15, 16 and 20: what follows from what somebody is or wants.

Knows kinds of animals and motives. What wolves or swans are like is of each story alone; what the
hungry do is the same in all of them, so that it can be learnt.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from mt.datasets.babi.story import MOVES, Story

ANIMALS = {"mouse": "mice", "sheep": "sheep", "wolf": "wolves", "cat": "cats"}
FEARFUL = ("Gertrude", "Winona", "Jessica", "Emily")
SPECIES = ("swan", "lion", "frog", "rhino")
COLOURS = ("white", "yellow", "green", "gray")
COLOURED = ("Lily", "Greg", "Bernhard", "Julius", "Brian")
AGENTS = ("Jason", "Antoine", "Sumit", "Yann")


class Motive(NamedTuple):
    """What somebody does who is so."""

    place: str
    thing: str


MOTIVES = {
    "hungry": Motive("kitchen", "apple"),
    "thirsty": Motive("kitchen", "milk"),
    "bored": Motive("garden", "football"),
    "tired": Motive("bedroom", "pajamas"),
}


def basic_deduction(random: Random) -> Story:
    """What somebody is afraid of, by what their kind is afraid of. 8 statements."""
    fears = {kind: random.choice([k for k in ANIMALS if k != kind]) for kind in ANIMALS}
    kinds = {name: random.choice(list(ANIMALS)) for name in FEARFUL}
    told = [
        f"{ANIMALS[kind].capitalize()} are afraid of {ANIMALS[feared]}."
        for kind, feared in fears.items()
    ]
    told += [f"{name} is a {kind}." for name, kind in kinds.items()]
    random.shuffle(told)
    name = random.choice(FEARFUL)
    return Story(tuple(told), f"What is {name} afraid of?", ANIMALS[fears[kinds[name]]])


def basic_induction(random: Random) -> Story:
    """Which colour somebody has, by another one of the same kind. 9 statements."""
    colours = dict(zip(SPECIES, random.sample(COLOURS, len(COLOURS)), strict=True))
    names = random.sample(COLOURED, len(COLOURED))
    asked, *others = names
    kinds = {name: random.choice(SPECIES) for name in others}
    kinds[asked] = random.choice(list(kinds.values()))
    told = [f"{name} is a {kind}." for name, kind in kinds.items()]
    told += [f"{name} is {colours[kinds[name]]}." for name in others]
    random.shuffle(told)
    return Story(tuple(told), f"What color is {asked}?", colours[kinds[asked]])


def agent_motivations(random: Random) -> Story:
    """Why somebody did what they did last, or where they will go. 3 to 12 statements."""
    motives = {agent: random.choice(list(MOTIVES)) for agent in AGENTS}
    done = dict.fromkeys(AGENTS, 0)
    told: list[str] = []
    question = answer = ""
    for _ in range(random.randint(3, 12)):
        agent = random.choice([agent for agent in AGENTS if done[agent] < 3])
        state, (place, thing) = motives[agent], MOTIVES[motives[agent]]
        done[agent] += 1
        if done[agent] == 1:
            told.append(f"{agent} is {state}.")
            question, answer = f"Where will {agent} go?", place
        elif done[agent] == 2:
            told.append(f"{agent} {random.choice(MOVES)} the {place}.")
            question, answer = f"Why did {agent} go to the {place}?", state
        else:
            verb = random.choice(("got", "took", "grabbed", "picked up"))
            told.append(f"{agent} {verb} the {thing} there.")
            question, answer = f"Why did {agent} get the {thing}?", state
    return Story(tuple(told), question, answer)
