"""How many answers are right: a model beside rules that understand nothing, task by task.

Knows folders of questions and answers, and the published figures of the bAbI tasks. Does not know
how a model answers; what counts as right is `mt.scoring.answers`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.progress import track

from mt.corpus import read_pairs
from mt.errors import CorpusError, InputError
from mt.scoring.answers import (
    SIGNATURE,
    allowed_answers,
    exact_match,
    last_mentioned,
    majority_answer,
)
from scripts.console import errors
from scripts.tables import text_table

if TYPE_CHECKING:
    from mt import Translator

PUBLISHED_LSTM = dict(
    zip(
        (f"qa{number}" for number in range(1, 21)),
        (50, 20, 20, 61, 70, 48, 49, 45, 64, 44, 72, 74, 94, 27, 21, 23, 51, 52, 8, 91),
        strict=True,
    )
)
"""Weston et al. 2015, table 3: an LSTM for each task, on the published stories, 1,000 of each."""
PUBLISHED = "LSTM (Weston et al. 2015)"
PUBLISHED_MEANS = {PUBLISHED: 49.2, "two RNNs (Keras example babi_rnn)": 60.8}
"""Of the twenty tasks, on the published stories, 1,000 of each."""
CHUNK = 500
"""Questions answered between two moves of the progress bar."""


class Texts(NamedTuple):
    """Questions, their answers, and what rules may learn from."""

    path: Path
    """Of the questions."""
    questions: list[str]
    answers: list[str]
    tasks: list[str]
    """Of each question; all alike where the folder says nothing of tasks."""
    train_answers: list[str]
    train_tasks: list[str]

    @classmethod
    def read(cls, folder: Path, split: str) -> Texts:
        """The texts of a folder.

        Raises:
            CorpusError: one is missing, or two do not match line by line.
        """
        questions, answers, tasks = _read(folder, split)
        _, train_answers, train_tasks = _read(folder, "train")
        if unknown := set(tasks) - set(train_tasks):
            raise CorpusError(f"{folder}: train.task.xz has no {', '.join(sorted(unknown))}")
        path = _questions(folder, split)
        return cls(path, questions, answers, tasks, train_answers, train_tasks)

    def of_task(self, task: str) -> tuple[list[int], list[str]]:
        """The numbers of a task's questions, each once, and its answers to learn from."""
        known = zip(self.train_answers, self.train_tasks, strict=True)
        first: dict[str, int] = {}
        for number, (question, each) in enumerate(zip(self.questions, self.tasks, strict=True)):
            if each == task:
                first.setdefault(question, number)
        return [*first.values()], [answer for answer, each in known if each == task]


def evaluation(texts: Texts, translator: Translator) -> dict[str, Any]:
    """Exact match of a model and of the rules, task by task and as the mean of the tasks.

    Raises:
        InputError: a question is too long for the model; names file and line.
    """
    _check_lengths(translator, texts)
    given = _answered(translator, texts.questions)
    allowed = allowed_answers(texts.questions, texts.answers)
    rows = {}
    for task in dict.fromkeys(texts.tasks):
        numbers, known = texts.of_task(task)
        right = [allowed[number] for number in numbers]
        majority = majority_answer(known)
        mentioned = [last_mentioned(texts.questions[number], known) for number in numbers]
        rows[task] = {
            "questions": len(numbers),
            "model": exact_match([given[number] for number in numbers], right),
            "majority": exact_match([majority] * len(numbers), right),
            "last_mention": exact_match(mentioned, right),
        }
    columns = ("model", "majority", "last_mention")
    return {
        "model": translator.name,
        "weights": translator.identity,
        "engine": translator.engine,
        "signature": SIGNATURE,
        "tasks": rows,
        "mean": {name: sum(row[name] for row in rows.values()) / len(rows) for name in columns},
    }


def table(record: dict[str, Any]) -> str:
    """The record for people."""
    tasks, mean = record["tasks"], record["mean"]
    published = tasks.keys() == PUBLISHED_LSTM.keys()
    header = ["task", "questions", "model", "majority", "last mention"]
    rows = [
        [name, f"{row['questions']:,}", *_figures(row)]
        + ([str(PUBLISHED_LSTM[name])] if published else [])
        for name, row in tasks.items()
    ]
    total = f"{sum(row['questions'] for row in tasks.values()):,}"
    if len(tasks) > 1:
        rows.append(
            ["mean", total, *_figures(mean)]
            + ([str(PUBLISHED_MEANS[PUBLISHED])] if published else [])
        )
    lines = [text_table(header + (["published LSTM"] if published else []), rows)]
    lines.append(f"{record['signature']}; {record['model']}, {record['engine']}")
    if published:
        means = "; ".join(f"{name}: {value}" for name, value in PUBLISHED_MEANS.items())
        lines.append(f"published means, on the published stories and not on these: {means}")
    return "\n".join(lines)


def _figures(row: dict[str, float]) -> list[str]:
    return [f"{row[name]:.1f}" for name in ("model", "majority", "last_mention")]


def _read(folder: Path, split: str) -> tuple[list[str], list[str], list[str]]:
    question = _questions(folder, split)
    questions, answers = read_pairs([question], [folder / f"{split}.answer.xz"])
    task = folder / f"{split}.task.xz"
    tasks = read_pairs([question], [task])[1] if task.exists() else ["all"] * len(questions)
    return questions, answers, tasks


def _questions(folder: Path, split: str) -> Path:
    return folder / f"{split}.question.xz"


def _check_lengths(translator: Translator, texts: Texts) -> None:
    for number, question in enumerate(texts.questions, start=1):
        try:
            translator.plan(question)
        except InputError as error:
            raise InputError(f"{texts.path}, line {number:,}: {error}") from error


def _answered(translator: Translator, questions: Sequence[str]) -> list[str]:
    starts = track(
        range(0, len(questions), CHUNK),
        "answering",
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    return [
        found.text
        for start in starts
        for found in translator.translate(questions[start : start + CHUNK])
    ]
