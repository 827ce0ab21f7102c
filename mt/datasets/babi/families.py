"""The twenty families by number, and as many different stories of each as are wanted.

Knows the numbers of Weston et al. (2015, tables 1 and 2). Does not know files.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from mt.datasets.babi import kinds, space, whereabouts, world
from mt.datasets.babi.story import Family, Statements, Story

FAMILIES: Mapping[str, Family] = {
    "qa1": world.single_supporting_fact,
    "qa2": world.two_supporting_facts,
    "qa3": world.three_supporting_facts,
    "qa4": space.two_argument_relations,
    "qa5": world.three_argument_relations,
    "qa6": world.yes_no_questions,
    "qa7": world.counting,
    "qa8": world.lists_and_sets,
    "qa9": whereabouts.simple_negation,
    "qa10": whereabouts.indefinite_knowledge,
    "qa11": whereabouts.basic_coreference,
    "qa12": whereabouts.conjunction,
    "qa13": whereabouts.compound_coreference,
    "qa14": whereabouts.time_reasoning,
    "qa15": kinds.basic_deduction,
    "qa16": kinds.basic_induction,
    "qa17": space.positional_reasoning,
    "qa18": space.size_reasoning,
    "qa19": space.path_finding,
    "qa20": kinds.agent_motivations,
}
"""What is asked in each, by the paper's number."""


def generate(
    name: str, count: int, *, seed: int = 1, told: set[Statements] | None = None
) -> list[Story]:
    """Stories of one family, the same for the same seed; no two have the same statements.

    Args:
        told: statements of stories that are not to be told again; those of the new ones are added.
    """
    random = Random(f"{name} {seed}")
    told = set() if told is None else told
    stories: list[Story] = []
    while len(stories) < count:
        story = FAMILIES[name](random)
        if story.statements not in told:
            told.add(story.statements)
            stories.append(story)
    return stories
