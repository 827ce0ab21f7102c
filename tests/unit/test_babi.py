"""Every answer follows from its story, and no story is in two texts."""

from collections import Counter
from random import Random

import pytest

from mt.datasets import DATASETS
from mt.datasets.babi import FAMILIES, SIZES, Story, generate
from mt.datasets.babi.renaming import KINDS, renamed
from mt.datasets.babi.texts import TIMES, texts, told_again
from support.readers import READERS

PLACES = {"bathroom", "bedroom", "garden", "hallway", "kitchen", "office"}
OTHER_PLACES = {"bedroom", "cinema", "kitchen", "office", "park", "school"}
YES_NO = {"yes", "no"}
ANSWERS = {
    **dict.fromkeys(("qa1", "qa2", "qa3", "qa4", "qa11", "qa12", "qa13"), PLACES),
    "qa5": {"Bill", "Fred", "Jeff", "Mary", "apple", "football", "milk"},
    **dict.fromkeys(("qa6", "qa9", "qa17", "qa18"), YES_NO),
    "qa7": {"none", "one", "two", "three"},
    "qa10": YES_NO | {"maybe"},
    "qa14": OTHER_PLACES,
    "qa15": {"mice", "sheep", "wolves", "cats"},
    "qa16": {"white", "yellow", "green", "gray"},
    "qa20": {*("hungry", "thirsty", "bored", "tired"), *("kitchen", "garden", "bedroom")},
}


def stories(name, count=200):
    return generate(name, count, seed=3)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_answer_follows_from_its_story(name):
    for story in stories(name):
        assert READERS[name](story.statements, story.question) == story.answer, story.text


@pytest.mark.parametrize("name", ANSWERS)
def test_all_answers_of_the_set_occur_and_no_others(name):
    assert {story.answer for story in stories(name)} == ANSWERS[name]


def test_lists_name_up_to_all_things_and_paths_are_never_there_and_back():
    lists = {tuple(story.answer.split(", ")) for story in stories("qa8", 1000)}
    assert {len(each) for each in lists} == {1, 2, 3}
    assert {word for each in lists for word in each} == {"apple", "football", "milk", "nothing"}
    paths = {story.answer for story in stories("qa19", 400)}
    assert len(paths) == 12
    assert not paths & {"north, south", "south, north", "east, west", "west, east"}


@pytest.mark.parametrize("name", ["qa6", "qa17", "qa18"])
def test_about_half_of_the_answers_are_yes(name):
    count = Counter(story.answer for story in stories(name, 1000))
    assert 430 < count["yes"] < 570  # 4.4 standard deviations of a fair coin


def test_a_seed_tells_the_same_stories_again_and_another_seed_others():
    assert generate("qa2", 20, seed=5) == generate("qa2", 20, seed=5)
    assert generate("qa2", 20, seed=5) != generate("qa2", 20, seed=6)
    assert generate("qa2", 30, seed=5)[:20] == generate("qa2", 20, seed=5)


def test_no_two_stories_have_the_same_statements_even_where_there_are_few():
    # Of two statements about six places there are not many more than are asked for.
    told = [story.statements for story in generate("qa4", sum(SIZES.values()), seed=1)]
    assert len(set(told)) == 2100


@pytest.mark.parametrize("name", FAMILIES)
def test_under_other_names_the_answer_still_follows(name):
    random = Random(1)
    told = [(story, renamed(name, story, random)) for story in stories(name)]
    for _, again in told:
        assert READERS[name](again.statements, again.question) == again.answer, again.text
    changed = [again != story for story, again in told]
    assert sum(changed) > 150  # of 200
    assert all(len(story.statements) == len(again.statements) for story, again in told)


def test_names_are_exchanged_whole_and_everywhere():
    story = Story(("The box of chocolates fits inside the box.",), "Does the box fit?", "box")
    (things,) = KINDS["qa18"]
    seen = set()
    for seed in range(200):
        again = renamed("qa18", story, Random(seed))
        (statement,) = again.statements
        small, large = statement.removeprefix("The ").removesuffix(".").split(" fits inside the ")
        assert {small, large} <= set(*things)
        assert again.question == f"Does the {large} fit?"
        assert again.answer == large
        seen.add((small, large))
    assert len(seen) == 30  # 6 * 5: no two things become one


def test_no_story_is_told_again_that_was_told():
    story, other = generate("qa1", 2, seed=1)
    told = {story.statements, other.statements}
    again = told_again("qa1", [story, other], 1, told)
    assert 0 < len(again) <= 2 * TIMES
    assert len(told) == len(again) + 2
    assert again == told_again("qa1", [story, other], 1, {story.statements, other.statements})


def test_the_dataset_has_a_thousand_stories_of_each_family_to_train_and_to_test():
    files = DATASETS["babi"].read(None).files
    again = [files.pop(f"renamed.{column}") for column in ("question", "answer", "task")]
    assert {len(lines) for lines in again} == {len(again[0])}
    assert 20_000 < len(again[0]) <= TIMES * 20_000
    assert {name: len(lines) for name, lines in files.items()} == {
        f"{split}.{column}": 20 * count
        for split, count in (("train", 1000), ("valid", 100), ("test", 1000))
        for column in ("question", "answer", "task")
    }
    assert Counter(files["test.task"]) == dict.fromkeys(FAMILIES, 1000)
    trained = {*files["train.question"], *again[0]}
    shared = trained & {*files["valid.question"], *files["test.question"]}
    assert not shared
    assert all("\n" not in line for lines in files.values() for line in lines)


def test_line_by_line_question_answer_and_task_belong_together():
    files = texts(seed=2).files
    rows = zip(
        *(files[f"valid.{column}"] for column in ("question", "answer", "task")), strict=True
    )
    for question, answer, task in list(rows)[::50]:
        asked, story = question.split("? ")
        statements = [f"{each}." for each in story.removesuffix(".").split(". ")]
        assert READERS[task](statements, f"{asked}?") == answer
