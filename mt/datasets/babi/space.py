"""Families 4 and 17 to 19: what is where beside what, and what is larger than what.

Knows points on a grid and an order of sizes; a story tells some of the relations between them, and
the answer follows from those alone.
"""

from __future__ import annotations

import itertools
from random import Random

from mt.datasets.babi.story import PLACES, Story

Point = tuple[int, int]

COMPASS: dict[str, Point] = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
SIDES: dict[str, Point] = {
    "above": (0, 1),
    "below": (0, -1),
    "to the right of": (1, 0),
    "to the left of": (-1, 0),
}
COLOURS = ("red", "blue", "pink", "yellow")
SHAPES = ("triangle", "rectangle", "square", "sphere")
THINGS = ("chocolate", "box of chocolates", "box", "suitcase", "chest", "container")


def two_argument_relations(random: Random) -> Story:
    """What lies on which side of what, of two statements."""
    middle, first, second = random.sample(PLACES, 3)
    side, other_side = random.sample(list(COMPASS), 2)  # of the middle, where the others are
    facts = [(first, side, middle), (middle, OPPOSITE[other_side], second)]
    random.shuffle(facts)
    subject, direction, place = random.choice(facts)
    questions = (
        (f"What is {direction} of the {place}?", subject),
        (f"What is the {subject} {direction} of?", place),
    )
    statements = tuple(f"The {a} is {direction} of the {b}." for a, direction, b in facts)
    return Story(statements, *random.choice(questions))


def positional_reasoning(random: Random) -> Story:
    """Whether a shape lies on a side of another one, each of two statements about a third."""
    shapes = [f"{random.choice(COLOURS)} {shape}" for shape in random.sample(SHAPES, 3)]
    first, middle, second = shapes
    # Not back to where it started: the two would lie in one place.
    side, other_side = random.choice(
        [(a, b) for a, b in itertools.product(SIDES, repeat=2) if _sum(a, b) != (0, 0)]
    )
    statements = [
        f"The {first} is {side} the {middle}.",
        f"The {middle} is {other_side} the {second}.",
    ]
    random.shuffle(statements)
    place = _sum(side, other_side)  # of the first, seen from the second
    yes = random.random() < 0.5
    asked = random.choice([name for name in SIDES if _lies(place, name) == yes])
    if random.random() < 0.5:
        question = f"Is the {first} {asked} the {second}?"
    else:
        inverse = next(name for name in SIDES if _sum(name, asked) == (0, 0))
        question = f"Is the {second} {inverse} the {first}?"
    return Story(tuple(statements), question, "yes" if yes else "no")


def size_reasoning(random: Random) -> Story:
    """Whether one thing fits into another, or is bigger, by a chain of such statements."""
    things = random.sample(THINGS, 5)  # the smallest first
    pairs = list(itertools.pairwise(things))
    pairs += random.choices(list(itertools.combinations(things, 2)), k=random.randint(1, 5))
    random.shuffle(pairs)
    statements = tuple(_size(random, small, large) for small, large in pairs)
    small, large = sorted(random.sample(range(5), 2))
    while large - small < 2 or (things[small], things[large]) in pairs:
        small, large = sorted(random.sample(range(5), 2))
    yes = random.random() < 0.5
    left, right = (small, large) if yes else (large, small)
    if random.random() < 0.5:
        question = f"Does the {things[left]} fit in the {things[right]}?"
    else:
        question = f"Is the {things[right]} bigger than the {things[left]}?"
    return Story(statements, question, "yes" if yes else "no")


def path_finding(random: Random) -> Story:
    """The two directions that lead from one place to another, by five statements."""
    places = random.sample(PLACES, len(PLACES))
    points: dict[str, Point] = {places[0]: (0, 0)}
    steps: dict[tuple[str, str], str] = {}  # from, to: direction
    for place in places[1:]:
        start, direction = random.choice(
            [
                (known, name)
                for known, point in points.items()
                for name in COMPASS
                if _moved(point, name) not in points.values()
            ]
        )
        points[place] = _moved(points[start], direction)
        steps[start, place] = direction
        steps[place, start] = OPPOSITE[direction]
    ways = [
        (a, b, d) for a, b in itertools.permutations(places, 2) for d in places if d not in (a, b)
    ]
    start, end, over = random.choice(
        [way for way in ways if (way[0], way[2]) in steps and (way[2], way[1]) in steps]
    )
    chosen = [random.choice(((a, b), (b, a))) for a, b in itertools.combinations(places, 2)]
    told = [f"The {b} is {steps[a, b]} of the {a}." for a, b in chosen if (a, b) in steps]
    random.shuffle(told)
    answer = f"{steps[start, over]}, {steps[over, end]}"
    return Story(tuple(told), f"How do you go from the {start} to the {end}?", answer)


def _sum(side: str, other_side: str) -> Point:
    (x, y), (u, v) = SIDES[side], SIDES[other_side]
    return x + u, y + v


def _lies(place: Point, side: str) -> bool:
    (x, y), (u, v) = place, SIDES[side]
    return x * u + y * v > 0


def _moved(point: Point, direction: str) -> Point:
    (x, y), (u, v) = point, COMPASS[direction]
    return x + u, y + v


def _size(random: Random, small: str, large: str) -> str:
    return random.choice(
        (f"The {small} fits inside the {large}.", f"The {large} is bigger than the {small}.")
    )
