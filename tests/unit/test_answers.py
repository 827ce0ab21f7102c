"""What counts as a right answer, and what rules that understand nothing would say."""

import pytest

from mt.scoring.answers import allowed_answers, exact_match, last_mentioned, majority_answer


def test_a_question_that_occurs_twice_allows_both_answers():
    questions = ["How are you?", "Who are you?", "how  are you?"]
    found = allowed_answers(questions, ["Fine.", "A program.", "Good."])
    assert found == [{"Fine.", "Good."}, {"A program."}, {"Fine.", "Good."}]


def test_exact_match_is_the_share_of_answers_that_are_allowed():
    allowed = [{"office"}, {"milk, apple"}, {"Fine.", "Good."}, {"yes"}]
    assert exact_match([" Office", "apple, milk", "good.", "yes"], allowed) == pytest.approx(75)
    assert exact_match(["", "milk apple", "Fine", "no"], allowed) == 0


def test_the_majority_is_the_most_frequent_answer():
    assert majority_answer(["no", "yes", "yes"]) == "yes"
    assert majority_answer(["no", "yes"]) == "no"


def test_what_was_mentioned_last_is_sought_in_the_story_and_not_in_the_question():
    story = "Mary went to the office. John went to the kitchen."
    known = ["office", "kitchen", "garden", "office"]
    assert last_mentioned(f"{story} Where is Mary?", known) == "kitchen"
    assert last_mentioned(f"Where is Mary? {story}", known) == "kitchen"
    assert last_mentioned(f"{story} What is north of the office?", known) == "kitchen"
    assert last_mentioned(f"{story} Is Mary in the office?", ["yes", "no", "no"]) == "no"
    assert last_mentioned("Where is the office?", ["garden", "office", "office"]) == "office"
