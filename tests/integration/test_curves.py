"""mt-curves, run as a user runs it, on the metrics of a tiny run and on lines written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.commands import assert_mistake, call, run
from support.recipes import write_recipe

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def event(kind: str, update: int, **values: Any) -> dict[str, Any]:
    return {"event": kind, "update": update, "epoch": 0, "seconds": 60.0 * update, **values}


def validation(update: int, nll: float, bleu: float) -> dict[str, Any]:
    return event(
        "validation", update, nll=nll, bleu=bleu, sentences=1200, signature=SIGNATURE, better=True
    )


EVENTS = [
    {"event": "start", "update": 0, "parameters": 7},
    event("train", 1, loss=5.0, learning_rate=0.001),
    validation(1, 4.5, 3.25),
    event("train", 2, loss=4.0, learning_rate=0.002),
    validation(2, 3.5, 9.5),
    event("resume", 2, changed_environment=[]),
    validation(3, 3.25, 9.5),
    event("finished", 3),
]


def write_metrics(path: Path, events: list[dict[str, Any]], rest: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(each)}\n" for each in events) + rest, encoding="utf-8")
    return path


def test_every_validation_is_a_row_and_the_first_best_is_marked(tmp_path: Path) -> None:
    write_metrics(tmp_path / "a" / "run" / "metrics.jsonl", EVENTS)
    write_metrics(tmp_path / "b.jsonl", EVENTS[:3])

    result = run("curves", "a", "b.jsonl", folder=tmp_path)

    assert result.returncode == 0, result.stderr
    assert result.stdout.decode().splitlines() == [
        "run      update  minutes    nll  BLEU",
        "a             1      1.0  4.500  3.25",
        "a             2      2.0  3.500  9.50",
        "a             3      3.0  3.250  9.50  best",
        "b.jsonl       1      1.0  4.500  3.25  best",
        f"a: greedy, 1,200 sentences, {SIGNATURE}",
        f"b.jsonl: greedy, 1,200 sentences, {SIGNATURE}",
    ]
    assert result.stderr == b""


def test_of_equal_scores_the_one_with_the_lower_loss_is_the_best(tmp_path: Path) -> None:
    events = [{**event, "bleu": 0.0} if "bleu" in event else event for event in EVENTS]
    path = write_metrics(tmp_path / "a.jsonl", events)
    rows = call("curves", path).stdout.decode().splitlines()[1:4]
    assert [row.endswith("best") for row in rows] == [False, False, True]


def test_events_of_two_runs_in_one_file_are_refused(tmp_path: Path) -> None:
    other = [{("exact" if key == "bleu" else key): v for key, v in e.items()} for e in EVENTS]
    path = write_metrics(tmp_path / "a.jsonl", [*EVENTS, *other])
    assert_mistake(call("curves", path), "a.jsonl: the validation at update 1 has no bleu")


def test_runs_can_be_given_names(tmp_path: Path) -> None:
    path = write_metrics(tmp_path / "a.jsonl", EVENTS)

    result = call("curves", path, path, "--label", "one", "--label", "two")

    rows = result.stdout.decode().splitlines()
    assert [row.split()[0] for row in rows[1:7]] == ["one"] * 3 + ["two"] * 3


@pytest.mark.parametrize("half", ['{"event": "val', '{"event": "validation", "update": 9}'])
def test_half_a_line_at_the_end_is_left_out_with_a_note(tmp_path: Path, half: str) -> None:
    path = write_metrics(tmp_path / "a.jsonl", EVENTS, half)

    result = call("curves", path)

    assert result.returncode == 0, result.stderr
    assert len(result.stdout.decode().splitlines()) == 5
    assert result.stderr.decode() == f"{path}: line 9 is not finished and left out\n"


def test_a_run_without_a_validation_yet_is_told(tmp_path: Path) -> None:
    path = write_metrics(tmp_path / "a.jsonl", EVENTS[:2])

    result = call("curves", path, "--label", "new")

    assert result.stdout.decode().splitlines()[-1] == "new: no validation yet"


def test_the_metrics_of_a_real_run_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the extra [plot]")
    recipe = write_recipe(tmp_path / "task", training__updates=4, training__validate_every=2)
    trained = run("train", recipe, "--output", tmp_path / "model")
    assert trained.returncode == 0, trained.stderr

    result = call("curves", "model", "--output", "curves.png", folder=tmp_path)

    assert result.returncode == 0, result.stderr
    rows = [row.split()[:2] for row in result.stdout.decode().splitlines()]
    assert rows[1:3] == [["model", "2"], ["model", "4"]]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


VALIDATION = {"event": "validation", "update": 1, "seconds": 1, "nll": 1, "sentences": 1}
VALIDATION |= {"signature": "x"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{\n", ["a.jsonl, line 1", "not JSON"]),
        ('{"event": "start", "update": 0}\n[1]\n', ["a.jsonl, line 2", "not an event"]),
        ('{"update": 0}\n', ["a.jsonl, line 1", "not an event"]),
        ('{"event": ["a"]}\n', ["a.jsonl, line 1", "not an event"]),
        (json.dumps(VALIDATION | {"bleu": None}) + "\n", ["line 1", "without a score"]),
        (json.dumps(VALIDATION | {"bleu": 1, "nll": "x"}) + "\n", ["line 1", "nll is no number"]),
        (json.dumps(VALIDATION | {"bleu": 1, "seconds": None}) + "\n", ["seconds is no number"]),
        ('{"event": "train", "update": 1}\n', ["line 1", "without learning_rate, loss"]),
    ],
)
def test_a_damaged_line_is_refused(tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")

    assert_mistake(call("curves", "a.jsonl", folder=tmp_path), *words)


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    write_metrics(tmp_path / "a.jsonl", EVENTS)
    (tmp_path / "model").mkdir()

    for arguments, words in (
        (["model"], ["model/run/metrics.jsonl", "No such file"]),
        (["a.jsonl", "--label", "a", "--label", "b"], ["2 times --label", "1 runs"]),
    ):
        assert_mistake(call("curves", *arguments, folder=tmp_path), *words)
