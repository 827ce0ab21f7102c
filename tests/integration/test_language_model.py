"""A language model from its recipe to its programs: trained, resumed, scored, continued."""

import json
import math
from functools import partial

import pytest

from mt.bundle import load_bundle
from mt.config import load_recipe
from mt.language_model import LanguageModel
from mt.training import open_run
from mt.validation import make_validator
from support.bundles import save_tiny_bundle
from support.commands import assert_mistake, call, run
from support.recipes import write_lines, write_recipe

RECIPE = """
name = "tiny"
task = "continue"

[data]
target_language = "en"
train_target = ["train.en"]
valid_target = "valid.en"

[tokenizer]
vocabulary_size = 40

[model]
embedding_size = 16
decoder_hidden_size = 24
decoder_layers = 1
embedding_dropout = 0.0
layer_dropout = 0.0
output_dropout = 0.1
word_dropout = 0.1

[training]
updates = 40
batch_tokens = 200
learning_rate = 0.02
warmup_updates = 5
label_smoothing = 0.0
precision = "fp32"
device = "cpu"
validate_every = 20
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language-model")
    write_recipe(folder)  # for its text
    path = folder / "words.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def model(recipe):
    """The model folder of a run that nothing disturbed."""
    done = call("train", recipe, "--output", recipe.parent / "model")
    assert done.returncode == 0, done.stderr
    assert b"; best: perplexity " in done.stderr
    return recipe.parent / "model"


def validations(folder):
    events = map(json.loads, (folder / "run" / "metrics.jsonl").read_text().splitlines())
    return [event for event in events if event["event"] == "validation"]


def test_the_model_of_the_lowest_perplexity_is_kept(model):
    first, last = validations(model)
    assert last["perplexity"] < first["perplexity"]
    assert last["perplexity"] == pytest.approx(math.exp(last["nll"]), rel=0.01)
    bundle = load_bundle(model)
    assert bundle.record["update"] == last["update"]
    assert bundle.record["word_perplexity"] == last["word_perplexity"] > last["perplexity"]
    assert bundle.lexicon is None
    assert "source-" not in " ".join(path.name for path in model.iterdir())


def test_a_run_that_was_stopped_ends_in_the_same_weights(recipe, model, tmp_path):
    loaded = load_recipe(recipe)
    begin = partial(open_run, loaded, tmp_path / "cut", partial(make_validator, loaded))
    asked = iter([False] * 12 + [True])
    outcome = begin().run(should_stop=lambda: next(asked))
    assert (outcome.reason, outcome.update) == ("stopped", 13)
    assert begin(resume=True).run().reason == "finished"
    whole, cut = load_bundle(model), load_bundle(tmp_path / "cut")
    assert cut.identity == whole.identity


def test_each_line_has_its_probability_and_perplexities_come_last(model, tmp_path):
    lines = ["two dogs and three cats", "", "世 dogs", "five birds and four horses"]
    write_lines(tmp_path / "text", lines)
    done = run("score", "--model", model, "--target", tmp_path / "text", "--engine", "fp32")
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    scores = LanguageModel.load(model, engine="fp32").score(lines)
    assert [row[3] for row in rows] == ["scored", "blank", "unknown_characters", "scored"]
    for row, score in zip(rows, scores, strict=True):
        if score.status == "scored":
            assert float(row[0]) == pytest.approx(score.log_probability, abs=1e-3)
            assert row[1:3] == [str(len(score.pieces)), "5"]
    total = scores[0].log_probability + scores[3].log_probability
    of_pieces, of_words, left_out = done.stderr.decode().splitlines()
    assert of_pieces.endswith(" of 2 lines")
    assert of_words == f"perplexity {math.exp(-total / 10):.3f} over 10 words"
    assert left_out == "lines not scored: blank 1, unknown_characters 1"


def test_json_of_lines_has_their_words(model, tmp_path):
    write_lines(tmp_path / "text", ["two dogs", ""])
    done = call("score", "--model", model, "--target", tmp_path / "text", "--json")
    two, blank = map(json.loads, done.stdout.splitlines())
    assert (two["words"], two["pieces"][-1]) == (2, "</s>")
    assert two["log_probability"] == pytest.approx(sum(two["log_probabilities"]))
    assert (blank["status"], blank["log_probability"], blank["words"]) == ("blank", None, 0)


def test_a_text_is_continued_and_the_next_word_is_one_of_those_it_may_be(model):
    done = run("continuation", "two dogs and", "--model", model)
    assert done.stdout.startswith(b"two dogs and ")
    assert done.stdout.count(b"\n") == 1
    done = call("continuation", "two dogs and ", "--model", model, "--suggest", "4")
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    # The likeliest is a number; a model as small as this is sure of no more.
    assert len(rows) == 4
    assert rows[0][1] in {"two", "three", "four", "five"}
    chances = [float(chance) for chance, _ in rows]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) <= 1.0002  # each is rounded


def test_drawn_texts_come_again_and_json_has_their_probabilities(model):
    arguments = ("continuation", "two", "--model", model, "--sample", "3", "--seed", "5", "--json")
    first = call(*arguments)
    assert call(*arguments).stdout == first.stdout
    record = json.loads(first.stdout)
    assert record["text"] == "two"
    assert len(record["continuations"]) == 3
    assert all(each["text"].startswith("two") for each in record["continuations"])
    assert all(each["log_probability"] < 0 for each in record["continuations"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--suggest", "2", "--sample", "2"), "do not go together"),
        (("--top-k", "2"), "need --sample"),
        (("--sample", "2", "--temperature", "0"), "temperature"),
        (("--suggest", "2", "--most-pieces", "3"), "do not go together"),
    ],
)
def test_options_that_say_nothing_are_mistakes(model, arguments, words):
    assert_mistake(call("continuation", "two", "--model", model, *arguments), words)


def test_models_for_another_task_are_named_with_what_to_use(model, tmp_path):
    translating = save_tiny_bundle(tmp_path / "de-en")
    write_lines(tmp_path / "text", ["two dogs"])
    text = ("--target", tmp_path / "text")
    assert_mistake(
        call("continuation", "two", "--model", translating),
        "tiny-de-en translates, it is no language model: use mt-translate",
    )
    assert_mistake(call("score", "--model", translating, *text), "--source is missing")
    assert_mistake(
        call("score", "--model", model, *text, "--source", tmp_path / "text"),
        "tiny is a language model, it translates nothing",
    )
    for program in ("translate", "answer"):
        done = call(program, "--model", model, "--input", tmp_path / "text")
        assert_mistake(done, "tiny is a language model, it translates nothing: use mt-continue")
    assert_mistake(call("explain", "two dogs", "--model", model), "only a model that translates")


def test_its_course_is_shown_by_perplexity(model):
    done = call("curves", model)
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.decode().splitlines()
    assert "perplexity" in header
    assert "best" in rows[1]
    assert rows[-1].endswith("words:by white space|not scored:0")


def test_text_of_two_sides_makes_no_language_model(recipe, tmp_path):
    both = RECIPE.replace("[data]\n", '[data]\ntrain_source = ["train.de"]\n')
    (recipe.parent / "both.toml").write_text(both)
    done = call("train", recipe.parent / "both.toml", "--output", tmp_path / "model")
    assert_mistake(done, "data.train_source is of no use", "data.train_target alone")
    assert not (tmp_path / "model").exists()
