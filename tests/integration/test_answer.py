"""Questions in, answers out: by a model trained for it, through the program."""

import json
import lzma
import re
import shutil
from collections import Counter
from types import SimpleNamespace

import pytest

from mt.bundle import load_bundle
from mt.datasets.babi import SIZES
from mt.translator import Translator
from support.commands import assert_mistake, call, run
from support.recipes import write_lines, write_recipe

QUESTIONS = {
    "Where is Mary? Mary is in the office.": "office",
    "Where is John? John is in the kitchen.": "kitchen",
    "Where is Mary? Mary is in the kitchen.": "kitchen",
    "Where is John? John is in the office.": "office",
}
PURPOSE = 'task = "answer"\nsegmentation = "whole"\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that has learnt the four answers by heart."""
    folder = tmp_path_factory.mktemp("answering")
    recipe = write_recipe(
        folder,
        data__source_language="en",
        data__target_language="en",
        data__held_out_pairs=1,
        data__max_length_ratio=50.0,
        tokenizer__joint=True,
        tokenizer__vocabulary_size=50,
        training__updates=80,
        training__batch_tokens=20,
        search__truecase=False,
        search__max_source_pieces=60,
    )
    recipe.write_text(PURPOSE + recipe.read_text())
    for side, lines in (("de", QUESTIONS), ("en", QUESTIONS.values())):
        for name in ("train", "valid"):
            write_lines(folder / f"{name}.{side}", list(lines))
    trained = call("train", recipe, "--output", folder / "model")
    assert trained.returncode == 0, trained.stderr
    assert b"best: exact match 100.00 at update" in trained.stderr
    return folder / "model"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder of two tasks with the same questions, so that each has two answers allowed."""
    folder = tmp_path_factory.mktemp("texts")
    columns = {
        "question": [*QUESTIONS, *QUESTIONS, *QUESTIONS],
        "answer": [*QUESTIONS.values(), *["garden"] * 8],
        "task": ["qa1"] * 4 + ["qa2"] * 8,
    }
    for split in ("train", "test"):
        for name, lines in columns.items():
            content = "".join(f"{line}\n" for line in lines).encode()
            (folder / f"{split}.{name}.xz").write_bytes(lzma.compress(content))
    return folder


def test_line_n_in_is_line_n_out_and_a_blank_one_stays_blank(model):
    first, second, *_ = QUESTIONS
    done = run("answer", "--model", model, stdin=f"{first}\n\n {second}\n".encode())
    assert (done.returncode, done.stdout) == (0, b"office\n\nkitchen\n"), done.stderr


def test_questions_are_answered_together(model, tmp_path, monkeypatch):
    sizes: list[int] = []
    translate = Translator.translate

    def noted(self, texts, **options):
        sizes.append(len(texts))
        return translate(self, texts, **options)

    monkeypatch.setattr(Translator, "translate", noted)
    write_lines(tmp_path / "asked", [*list(QUESTIONS)[:2], ""])
    assert call("answer", "--model", model, "--input", tmp_path / "asked").returncode == 0
    assert sizes == [3]


def test_a_story_is_put_behind_every_question(model, tmp_path):
    write_lines(tmp_path / "story", ["", "Mary is in", "the office."])
    write_lines(tmp_path / "asked", ["Where is Mary?", ""])
    done = call(
        "answer", "--model", model, "--story", tmp_path / "story", "--input", tmp_path / "asked"
    )
    assert done.stdout == b"office\n\n"


def test_json_has_score_and_flags(model, tmp_path):
    write_lines(tmp_path / "asked", ["Where is Mary? Mary is in the ☃."])
    done = call("answer", "--model", model, "--input", tmp_path / "asked", "--json")
    record = json.loads(done.stdout)
    assert record["question"] == "Where is Mary? Mary is in the ☃."
    assert record["answer"] in ("office", "kitchen")
    assert 0 < record["score"] <= 1
    assert record["flags"] == ["unknown_characters"]
    assert b"a second look: unknown_characters 1" in done.stderr


def test_a_question_that_is_too_long_is_a_mistake_that_names_its_line(model, tmp_path):
    write_lines(tmp_path / "asked", ["Where is Mary?", "Mary is in the office. " * 20])
    done = call("answer", "--model", model, "--input", tmp_path / "asked")
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"error: {tmp_path / 'asked'}, line 2: a text of ")
    assert b"at most 60 (search.max_source_pieces)" in done.stderr
    assert done.stdout.count(b"\n") == 1


def test_on_a_terminal_each_question_is_answered_until_an_empty_line(model, monkeypatch, capsys):
    first, second, *_ = QUESTIONS
    typed = iter([first, b"\xff", "Mary is in the office. " * 20, f" {second} ", "", "never asked"])
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    def read(prompt: str) -> str:
        line = next(typed)
        return line if isinstance(line, str) else line.decode()  # as a strict terminal does

    monkeypatch.setattr("builtins.input", read)
    done = call("answer", "--model", model)
    lines = done.stdout.decode().splitlines()
    assert [re.sub(r"\(0\.\d\d\)|\(1\.00\)", "(score)", line) for line in lines] == [
        "office  (score)",
        "kitchen  (score)",
    ]
    assert next(typed) == "never asked"
    told = done.stderr.decode() + capsys.readouterr().err
    assert "error: a text of " in told
    assert "error: that line is not UTF-8" in told


def test_the_stories_are_made_without_a_network_and_once(tmp_path, monkeypatch):
    for split, count in (("train", 3), ("valid", 1), ("test", 2)):
        monkeypatch.setitem(SIZES, split, count)
    first = call("download", "babi", "--output", tmp_path)
    assert first.returncode == 0, first.stderr
    assert b"       40 lines  test.question.xz\n" in first.stdout
    assert b"RECIPE is one of babi\n" in first.stderr
    lines = lzma.decompress((tmp_path / "babi" / "test.task.xz").read_bytes()).split()
    assert Counter(lines) == {f"qa{number}".encode(): 2 for number in range(1, 21)}
    second = call("download", "babi", "--output", tmp_path)
    assert b"babi is complete: nothing to do" in second.stdout


def test_evaluation_holds_the_model_to_rules_task_by_task(model, texts):
    done = call("answer", "--model", model, "--evaluate", texts, "--json")
    record = json.loads(done.stdout)
    # A question of both tasks has two answers allowed, so the model's own is right in both.
    assert record["tasks"]["qa1"] == {
        "questions": 4,
        "model": 100.0,
        "majority": 50.0,
        "last_mention": 100.0,
    }
    assert record["tasks"]["qa2"]["questions"] == 4  # which are there twice
    assert record["mean"]["majority"] == 75.0
    shown = call("answer", "--model", model, "--evaluate", texts).stdout.decode()
    assert shown.splitlines()[1].split() == ["qa1", "4", "100.0", "50.0", "100.0"]
    assert "exact match|case:no|space:no" in shown


def test_a_question_too_long_to_evaluate_is_named_before_any_is_answered(model, texts, tmp_path):
    shutil.copytree(texts, tmp_path / "texts")
    path = tmp_path / "texts" / "test.question.xz"
    lines = lzma.decompress(path.read_bytes()).split(b"\n")
    path.write_bytes(lzma.compress(b"\n".join([*lines[:5], b"who " * 99, *lines[6:]])))
    done = call("answer", "--model", model, "--evaluate", tmp_path / "texts")
    assert_mistake(done, f"{path}, line 6: a text of")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "de-en"], "de-en translates, it answers no questions: use mt-translate"),
        (["--model", "no-such"], "no-such"),
        (["--model", "de-en", "--evaluate", "x", "--story", "y"], "--evaluate brings its own"),
        (["--model", "de-en", "--evaluate", "x"], "test.question.xz"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, words):
    assert_mistake(call("answer", *arguments), words)


def test_programs_that_translate_refuse_a_model_that_answers(model, tmp_path):
    write_lines(tmp_path / "text", ["Where is Mary?"])
    for program, *rest in (
        ("translate", "--input", tmp_path / "text"),
        ("evaluate", "--source", tmp_path / "text", "--reference", tmp_path / "text"),
    ):
        message = f"{model} answers questions, it translates nothing: use mt-answer"
        assert_mistake(call(program, "--model", model, *rest), message)


def test_the_model_folder_says_what_it_is_for(model):
    config = load_bundle(model).config
    assert (config.task, config.segmentation) == ("answer", "whole")
    record = load_bundle(model).record
    assert record["exact"] == 100
    assert record["signature"] == "exact match|case:no|space:no"
    assert "bleu" not in record


def test_a_run_does_not_go_on_with_another_task(model, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(model.parent, folder)
    recipe = folder / "tiny.toml"
    recipe.write_text(recipe.read_text().removeprefix(PURPOSE))
    done = call("train", recipe, "--output", folder / "model", "--resume")
    assert_mistake(done, "begun with task = 'answer', the recipe now says 'translate'")
