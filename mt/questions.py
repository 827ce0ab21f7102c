"""A question and the story it is asked of, as one text: how data, programs and service put them.

Knows their order. Does not know what is told, nor who answers.
"""

from __future__ import annotations


def asked_of(question: str, story: str) -> str:
    """The question and then the story: who knows what is asked for before reading need not keep
    the rest. Without a story it is the question alone; a blank question asks nothing of any story.
    """
    return f"{question} {story}" if story and question.strip() else question
