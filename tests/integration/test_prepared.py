"""Text prepared once and trained on again: by the same run, by other runs, by none it does not fit.

Knows how a run gets its pairs. Does not know what is learned from them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from mt.config import load_recipe
from mt.corpus import FilterReport, prepare, read_pairs, read_tokenizers
from mt.errors import CorpusError, TrainingError
from mt.training import Trainer, data, open_run
from scripts import events
from support.commands import assert_mistake, call
from support.held_out import hold_out
from support.recipes import write_lines, write_recipe

SCORES = {"bleu": 0.0, "signature": "none"}
SHORT = {"training__updates": 2, "training__validate_every": 2}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe", **SHORT)


def opened(recipe: Path, output: Path, *, resume: bool = False, **data_options: object) -> Trainer:
    loaded = load_recipe(recipe)
    loaded = loaded.model_copy(update={"data": loaded.data.model_copy(update=data_options)})
    return open_run(loaded, output, lambda tokenizers, text: lambda model: SCORES, resume=resume)


def trained(recipe: Path, output: Path, **data_options: object) -> Path:
    opened(recipe, output, **data_options).run(lambda: True)  # a run of one update
    return output


def record(output: Path) -> dict[str, object]:
    return json.loads((output / "run" / "run.json").read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Survey", "prepare_files", "train_tokenizers"):
        monkeypatch.setattr(data, name, None)  # which nobody can call


@pytest.mark.parametrize("held_out", [False, True])
def test_the_record_of_a_run_is_that_of_text_prepared_in_memory(recipe, tmp_path, held_out):
    options = {"valid_source": None, "valid_target": None} if held_out else {}
    output = trained(recipe, tmp_path / "model", **options)

    folder = recipe.parent
    text = read_pairs([folder / "train.de"], [folder / "train.en"])
    valid = read_pairs([folder / "valid.de"], [folder / "valid.en"])
    count = len(text[0])
    if held_out:
        text, valid = hold_out(*text, 1000)
    config = load_recipe(recipe).data
    tokenizers = read_tokenizers(output / "run")
    corpora = [
        prepare(*text, tokenizers, config),
        prepare(*valid, tokenizers, config),
    ]
    digest = hashlib.sha256()
    for side in (side for corpus in corpora for side in (corpus.source, corpus.target)):
        digest.update(side.ids.tobytes() + side.starts.tobytes())
    assert record(output)["text"] == digest.hexdigest()
    expected = replace(corpora[0].report, read=count, held_out=count - len(text[0]))
    assert FilterReport(**record(output)["filters"]) == expected


def test_what_must_not_train_does_not_and_files_have_their_weight(recipe, tmp_path):
    folder = recipe.parent
    lines = (folder / "train.de").read_text().splitlines()
    (tmp_path / "test.de").write_text(f"{lines[0].upper()}\n{lines[7]} \n")
    output = trained(
        recipe,
        tmp_path / "model",
        exclude=(tmp_path / "test.de",),
        train_source=(folder / "train.de", folder / "train.de"),
        train_target=(folder / "train.en", folder / "train.de"),  # as good as any other text
        repeat=(2, 1),
    )
    total = len(lines)
    filters = record(output)["filters"]
    assert (filters["read"], filters["excluded"]) == (2 * total, 4)
    assert (filters["kept"], filters["copies"]) == (2 * total - 4, total - 2)
    # Each start after it finds the arrays, and tells what they were made without.
    (tmp_path / "test.de").write_text("nothing\n")
    with pytest.raises(TrainingError, match="text has changed since the run began"):
        opened(
            recipe,
            output,
            resume=True,
            exclude=(tmp_path / "test.de",),
            train_source=(folder / "train.de", folder / "train.de"),
            train_target=(folder / "train.en", folder / "train.de"),
            repeat=(2, 1),
        )


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("exclude", ("valid.de",), "without other sentences than data.exclude names now"),
        ("repeat", (2,), "with another data.repeat than [2]"),
    ],
)
def test_shared_arrays_of_other_pairs_are_refused(recipe, tmp_path, option, value, words):
    shared = tmp_path / "shared"
    trained(recipe, tmp_path / "first", prepared=shared)
    if option == "exclude":
        value = tuple(recipe.parent / name for name in value)
    with pytest.raises(CorpusError) as caught:
        opened(recipe, tmp_path / "second", prepared=shared, **{option: value})
    assert words in str(caught.value)


# The same run


@pytest.mark.parametrize("held_out", [False, True])
def test_a_resumed_run_maps_the_arrays_it_made(recipe, tmp_path, request, held_out):
    options = {"valid_source": None, "valid_target": None} if held_out else {}
    output = trained(recipe, tmp_path / "model", **options)
    before = contents(output / "run" / "corpus")
    request.getfixturevalue("nothing_is_prepared")
    trainer = opened(recipe, output, resume=True, **options)
    assert trainer.progress.update == 1
    assert contents(output / "run" / "corpus") == before


def test_a_run_without_arrays_makes_them_and_goes_on(recipe, tmp_path):
    # As one begun by a release that kept none, or one whose arrays were removed to save room.
    output = trained(recipe, tmp_path / "model")
    before = contents(output)
    shutil.rmtree(output / "run" / "corpus")
    assert opened(recipe, output, resume=True).progress.update == 1
    after = contents(output)
    del before["run/metrics.jsonl"], after["run/metrics.jsonl"]
    assert after == before


def test_damaged_arrays_are_made_again(recipe, tmp_path):
    output = trained(recipe, tmp_path / "model")
    before = contents(output / "run" / "corpus")
    path = output / "run" / "corpus" / "source.ids.npy"
    path.write_bytes(path.read_bytes()[:-4])
    assert opened(recipe, output, resume=True).progress.update == 1
    assert contents(output / "run" / "corpus") == before


def test_text_in_another_file_format_is_the_same_text(recipe, tmp_path):
    # Its bytes are others, so it is prepared again, and the same pairs come of it.
    import gzip

    output = trained(recipe, tmp_path / "model")
    packed = recipe.with_name("train.de.gz")
    packed.write_bytes(gzip.compress(recipe.with_name("train.de").read_bytes()))
    trainer = opened(recipe, output, resume=True, train_source=(packed,))
    assert trainer.progress.update == 1


def test_changed_text_is_refused_and_the_arrays_stay_those_of_the_run(recipe, tmp_path):
    output = trained(recipe, tmp_path / "model")
    before = contents(output)
    lines = recipe.with_name("train.de").read_text().splitlines()
    write_lines(recipe.with_name("train.de"), [lines[1], lines[0], *lines[2:]])
    with pytest.raises(TrainingError, match=r"text has changed since the run began$"):
        opened(recipe, output, resume=True)
    assert contents(output) == before


def test_sampled_subwords_come_from_text_that_is_kept(recipe, tmp_path):
    output = trained(recipe, tmp_path / "model", subword_sampling=0.3)
    kept = (output / "run" / "corpus" / "source.txt").read_text()
    assert kept == recipe.with_name("train.de").read_text()


# Other runs


def test_runs_share_a_folder_that_the_first_of_them_makes(recipe, tmp_path, request):
    shared = tmp_path / "shared"
    first = trained(recipe, tmp_path / "first", prepared=shared)
    alone = trained(recipe, tmp_path / "alone")
    before = contents(shared)
    request.getfixturevalue("nothing_is_prepared")
    # Another model, another seed: the text is the same.
    other = write_recipe(recipe.parent, **SHORT, training__seed=2, model__embedding_size=16)
    second = trained(other, tmp_path / "second", prepared=shared)
    assert contents(shared) == before == contents(alone / "run" / "corpus")
    assert not (first / "run" / "corpus").exists()
    assert record(first) == record(alone)
    for name in ("text", "filters"):
        assert record(second)[name] == record(first)[name]
    assert opened(other, second, resume=True, prepared=shared).progress.update == 1


def test_an_empty_folder_may_be_named(recipe, tmp_path):
    (tmp_path / "shared").mkdir()
    trained(recipe, tmp_path / "model", prepared=tmp_path / "shared")
    assert (tmp_path / "shared" / "corpus.json").exists()


def test_fine_tuning_shares_the_arrays_of_its_tokenizers(recipe, tmp_path, request):
    shared = tmp_path / "shared"
    model = tmp_path / "model"
    opened(recipe, model, prepared=shared).run()
    request.getfixturevalue("nothing_is_prepared")
    loaded = load_recipe(recipe)
    update = {"init_from": model, "data": loaded.data.model_copy(update={"prepared": shared})}
    open_run(loaded.model_copy(update=update), tmp_path / "tuned", lambda *both: pytest.fail)


def test_fine_tuning_refuses_arrays_of_other_tokenizers(recipe, tmp_path):
    model, shared = tmp_path / "model", tmp_path / "shared"
    opened(recipe, model).run()
    other = write_recipe(recipe.parent, **SHORT, tokenizer__vocabulary_size=39)
    trained(other, tmp_path / "other", prepared=shared)
    loaded = load_recipe(other)
    update = {"init_from": model, "data": loaded.data.model_copy(update={"prepared": shared})}
    with pytest.raises(CorpusError, match="with other tokenizers than the model's"):
        open_run(loaded.model_copy(update=update), tmp_path / "tuned", lambda *both: pytest.fail)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__max_pieces": 50}, "with another data.max_pieces than 50"),
        ({"data__remove_duplicates": False}, "with another data.remove_duplicates than False"),
        ({"data__subword_sampling": 0.1}, "which subword_sampling and numbers_share need"),
        ({"data__numbers_share": 0.1}, "which subword_sampling and numbers_share need"),
        ({"tokenizer__vocabulary_size": 39}, "other tokenizers than [tokenizer] describes"),
        ({"data__train_source": ["train.en"]}, "from other text than data.train_source is now"),
    ],
)
def test_a_folder_of_something_else_is_refused_and_left_alone(recipe, tmp_path, changes, words):
    shared = tmp_path / "shared"
    trained(recipe, tmp_path / "first", prepared=shared)
    before = contents(shared)
    other = write_recipe(recipe.parent, **SHORT, **changes)
    with pytest.raises(CorpusError) as caught:
        opened(other, tmp_path / "second", prepared=shared)
    assert str(caught.value).startswith(f"{shared} holds text prepared ")
    assert words in str(caught.value)
    assert contents(shared) == before
    assert not (tmp_path / "second").exists()


def test_a_folder_of_anything_but_prepared_text_is_refused_and_left_alone(recipe, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "diary.txt").write_text("dear")
    with pytest.raises(CorpusError, match="documents: not a folder of prepared text"):
        opened(recipe, tmp_path / "model", prepared=folder)
    assert contents(folder) == {"diary.txt": b"dear"}


def test_a_file_is_no_folder_to_prepare_text_in(recipe, tmp_path):
    file = tmp_path / "text"
    file.write_text("dear", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"data\.prepared = .*text: .* is a file"):
        opened(recipe, tmp_path / "model", prepared=file)
    assert file.read_text(encoding="utf-8") == "dear"


# The command


def test_the_command_takes_the_folder_and_a_second_run_finds_it(recipe, tmp_path, request):
    arguments = (recipe, "--prepared", tmp_path / "shared", "--output")
    assert call("train", *arguments, tmp_path / "first").returncode == 0
    request.getfixturevalue("nothing_is_prepared")
    assert call("train", *arguments, tmp_path / "second").returncode == 0
    assert_mistake(
        call("train", recipe, "--prepared", tmp_path / "recipe", "--output", tmp_path / "third"),
        "recipe: not a folder of prepared text",
    )


def test_long_preparations_are_told_and_short_ones_are_not(recipe, tmp_path, monkeypatch):
    quiet = call("train", recipe, "--output", tmp_path / "quiet").stderr.decode()
    assert "pairs/s" not in quiet
    monkeypatch.setattr(events, "WORTH_A_LINE", 100)
    first, second, *_ = (
        call("train", recipe, "--output", tmp_path / "told").stderr.decode().splitlines()
    )
    assert first == "tokenising 232 pairs"
    assert second.startswith("tokenising took ")
    assert second.endswith(" pairs/s")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_text_is_prepared_ends_the_run_before_it_began(
    recipe, tmp_path, monkeypatch, number
):
    def learn(*arguments: object, **options: object) -> None:
        signal.raise_signal(number)
        return learned(*arguments, **options)

    learned = data.train_tokenizers
    monkeypatch.setattr(data, "train_tokenizers", learn)
    result = call("train", recipe, "--output", tmp_path / "model")
    assert result.returncode == 128 + number
    assert not (tmp_path / "model").exists()
