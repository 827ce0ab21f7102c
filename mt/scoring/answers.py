"""Answers held to those that are allowed: exact match, and two rules that understand nothing.

Knows finished answers, and questions as text. Does not know models. A question that occurs more
than once, each time with another answer, allows each of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

SIGNATURE = "exact match|case:no|space:no"
"""How `exact_match` is measured: letter case and white space make no difference."""

_WORD = re.compile(r"\w+")
_QUESTION = re.compile(r"[^.?!]*\?")


def allowed_answers(questions: Sequence[str], answers: Sequence[str]) -> list[frozenset[str]]:
    """For each question all answers that stand beside a question of the same words."""
    by_question: dict[str, set[str]] = {}
    for question, answer in zip(questions, answers, strict=True):
        by_question.setdefault(_plain(question), set()).add(answer)
    return [frozenset(by_question[_plain(question)]) for question in questions]


def exact_match(given: Sequence[str], allowed: Sequence[Collection[str]]) -> float:
    """The share of answers that are among those allowed, from 0 to 100."""
    assert len(given) == len(allowed) > 0
    right = (
        _plain(answer) in map(_plain, answers)
        for answer, answers in zip(given, allowed, strict=True)
    )
    return 100 * sum(right) / len(given)


def majority_answer(train_answers: Sequence[str]) -> str:
    """The most frequent answer of a training text; of equals the first."""
    return Counter(train_answers).most_common(1)[0][0]


def last_mentioned(question: str, train_answers: Sequence[str]) -> str:
    """The word of a text that is mentioned last and answered some question of a training text.

    Where there is none, it is the most frequent answer. A question beside its story is part of
    the text, but is no mention: what it names is mostly what is not asked.
    """
    answers = {_plain(answer): answer for answer in train_answers}
    story = _QUESTION.sub("", question)
    for word in reversed(_WORD.findall(story)):
        if _plain(word) in answers:
            return answers[_plain(word)]
    return majority_answer(train_answers)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
