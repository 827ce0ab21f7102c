"""The training command as users start it: to its end, killed, stopped, resumed, misused."""

from __future__ import annotations

import json
import lzma
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mt
from mt.bundle import load_bundle
from mt.config import load_recipe
from mt.errors import TrainingError
from mt.training import open_run
from mt.training.defaults import default_recipe
from mt.translator import Translator
from scripts import train
from scripts.train import bundled_recipes
from support.commands import call
from support.recipes import write_lines, write_recipe

ARRAYS = ("ids.npy", "starts.npy", "spm")
TIMES = ("seconds", "took", "tokens_per_second")


def started(checkout: Path, folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """The command, begun in a folder; any warning is an error."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "scripts.train", *map(str, arguments)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(checkout),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "80",
            "CUDA_VISIBLE_DEVICES": "",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def command(checkout: Path, folder: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """The command, run to its end: exit code, standard output, standard error."""
    process = started(checkout, folder, *arguments)
    output, errors = process.communicate()
    return process.returncode, output, errors


def command_here(folder: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """The same in this process, for what comes to its end before any training."""
    done = call("train", *arguments, folder=folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def sent(
    signal_number: int, update: int, checkout: Path, folder: Path, *arguments: str | Path
) -> tuple[int, str]:
    """Send the command a signal as it tells of an update or a later one: exit code, errors."""
    errors = ""
    with started(checkout, folder, *arguments) as process:
        assert process.stderr is not None
        for line in process.stderr:
            errors += line
            match line.split():
                case ["update", number, "epoch", *_] if int(number) >= update:
                    process.send_signal(signal_number)
                    break
        errors += process.stderr.read()
    return process.returncode, errors


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def metrics(output: Path, *events: str) -> list[dict[str, object]]:
    """The lines of some events without their times."""
    *lines, rest = (output / "run" / "metrics.jsonl").read_bytes().split(b"\n")
    assert rest == b""
    records = map(json.loads, lines)
    return [
        {name: value for name, value in record.items() if name not in TIMES}
        for record in records
        if record["event"] in events
    ]


def assert_same_result(output: Path, expected: Path) -> None:
    """Two runs ended in the same files; only times and the marks of a resume may differ."""
    events = ("start", "train", "validation", "finished")
    assert metrics(output, *events) == metrics(expected, *events)
    found, wanted = contents(output), contents(expected)
    for files in (found, wanted):
        del files["run/metrics.jsonl"]
        pointer = json.loads(files.pop("run/checkpoint.json"))
        del pointer["progress"]["seconds"]
        files["run/checkpoint.json"] = json.dumps(pointer).encode()
    assert found.keys() == wanted.keys()
    assert [name for name in found if found[name] != wanted[name]] == []


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return write_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module")
def trained(checkout, recipe):
    """The model folder of a run that nothing disturbed, and what it said."""
    output = recipe.parent / "trained"
    code, printed, errors = command(checkout, recipe.parent, recipe.name, "--output", output)
    assert code == 0, errors
    assert printed == ""
    return output, errors


# A whole run


def test_a_run_ends_in_a_bundle_that_translates(trained):
    output, errors = trained
    bundle = load_bundle(output)
    assert bundle.config.name == "tiny"
    assert bundle.record["update"] == 60
    assert bundle.record["bleu"] > 20
    assert bundle.record["signature"].startswith("nrefs:1|case:mixed")
    (translation,) = Translator.load(output).translate(["zwei Hunde und zwei Hunde"])
    assert " and " in translation.text
    assert "Validation BLEU" in (output / "README.md").read_text()
    assert "finished at update 60" in errors.splitlines()[-1]
    assert str(output) in errors.splitlines()[-1]


def test_a_run_tells_what_it_does(trained):
    _, errors = trained
    lines = errors.splitlines()
    assert "parameters; training pairs: 232 read, 232 kept, 0 empty" in lines[0]
    assert sum("tokens/s" in line for line in lines) == 60
    assert sum("validation: nll" in line for line in lines) == 3
    assert "\x1b" not in errors  # no colours and no bar where nobody watches


def test_the_run_folder_holds_metrics_and_one_checkpoint(trained):
    output, _ = trained
    assert set(contents(output / "run")) == {
        "run.json",
        "source.spm",
        "target.spm",
        "metrics.jsonl",
        "checkpoint.json",
        "update-00000060.safetensors",
        "corpus/corpus.json",
        *(f"corpus/{side}.{name}" for side in ("source", "target") for name in ARRAYS),
    }
    assert [line["update"] for line in metrics(output, "train")] == list(range(1, 61))
    assert [line["update"] for line in metrics(output, "validation")] == [20, 40, 60]


# Killed and stopped


def test_a_run_killed_at_five_random_moments_ends_in_the_same_files(checkout, recipe, trained):
    draw = random.Random(20)
    output = recipe.parent / "killed"
    # The first kill comes before the first checkpoint, so the run begins anew after it.
    for low, high in ((1, 4), (5, 14), (15, 24), (25, 34), (35, 44)):
        update = draw.randint(low, high)
        arguments = (recipe.name, "--output", output, "--resume")
        code, errors = sent(signal.SIGKILL, update, checkout, recipe.parent, *arguments)
        assert code == -signal.SIGKILL, errors
    code, _, errors = command(checkout, recipe.parent, *arguments)
    assert code == 0, errors
    assert_same_result(output, trained[0])


def test_a_run_stopped_by_a_signal_saves_says_so_and_goes_on(checkout, recipe, trained):
    output = recipe.parent / "stopped"
    arguments = (recipe.name, "--output", output)
    for number, update in ((signal.SIGTERM, 7), (signal.SIGINT, 23)):
        code, errors = sent(number, update, checkout, recipe.parent, *arguments)
        assert code == 128 + number, errors
        assert errors.splitlines()[-1] == "continue with --resume"
        saved = json.loads((output / "run" / "checkpoint.json").read_bytes())["progress"]["update"]
        assert update <= saved < 60
        assert metrics(output, "stopped")[-1]["update"] == saved
        assert ("no model" in errors.splitlines()[-2]) == (saved < 20)
        arguments = (recipe.name, "--output", output, "--resume")
    code, _, errors = command(checkout, recipe.parent, *arguments)
    assert code == 0, errors
    assert errors.startswith(f"resumed at update {saved}\n")
    assert_same_result(output, trained[0])


# Other beginnings


def test_two_files_are_enough(recipe, tmp_path, monkeypatch):
    # The model made of them has its usual size, so the run itself would be too long for a test.
    ran = []
    monkeypatch.setattr(train, "_train", lambda *arguments: ran.append(arguments) or 0)
    source, target = (str(recipe.with_name(name)) for name in ("train.de", "train.en"))
    result = call("train", "--source", source, "--target", target, "--output", tmp_path / "model")
    assert result.returncode == 0, result.stderr
    ((made, output, resume),) = ran
    assert (output, resume) == (tmp_path / "model", False)
    assert made == default_recipe(Path(source), Path(target))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a RECIPE.toml, or both --source and --target"),
        (("--source", "train.de"), "both --source and --target"),
        (("tiny.toml", "--source", "train.de"), "--source and a recipe do not go together"),
        (("--source", "a.de", "--target", "a.en", "--data", "."), "--data is for a recipe"),
    ],
)
def test_a_recipe_or_two_files_but_not_both(checkout, recipe, arguments, words):
    code, printed, errors = command(checkout, recipe.parent, *arguments, "--output", "neither")
    assert (code, printed) == (2, "")
    assert words in errors
    assert not (recipe.parent / "neither").exists()


def test_fine_tuning_starts_where_the_other_model_is_and_says_so_in_its_record(
    checkout, recipe, trained
):
    output = recipe.parent / "tuned"
    short = write_recipe(recipe.parent / "short", training__updates=2, training__learning_rate=1e-6)
    code, _, errors = command(
        checkout, recipe.parent, short, "--init-from", trained[0], "--output", output
    )
    assert code == 0, errors
    best = max(line["bleu"] for line in metrics(trained[0], "validation"))
    assert metrics(output, "validation")[-1]["bleu"] == pytest.approx(best, abs=1.0)
    origin = load_bundle(trained[0]).identity
    assert load_bundle(output).record["fine_tuned_from"] == origin


def test_fine_tuning_refuses_a_model_of_another_shape(checkout, recipe, trained):
    other = write_recipe(recipe.parent / "wider", model__decoder_hidden_size=48)
    code, _, errors = command(
        checkout, recipe.parent, other, "--init-from", trained[0], "--output", "wide"
    )
    assert code == 2
    assert "do not fit" in errors


def test_options_of_a_recipe_can_be_changed_on_the_command_line(recipe, trained):
    code, _, errors = command_here(
        *(recipe.parent, recipe, "--set", "training.updates=3", "--set", "training.seed=2"),
        *("--set", "training.validate_every=3", "--output", "changed"),
    )
    assert code == 0, errors
    losses = [line["loss"] for line in metrics(recipe.parent / "changed", "train")]
    assert len(losses) == 3
    assert losses != [line["loss"] for line in metrics(trained[0], "train")][:3]


def test_a_change_that_the_recipe_has_no_option_for_is_refused_and_makes_no_folder(recipe):
    code, _, errors = command_here(
        recipe.parent, recipe, "--set", "training.sed=2", "--output", "misspelt"
    )
    assert code == 2
    assert errors == "error: --set: unknown key training.sed; did you mean seed?\n"
    assert not (recipe.parent / "misspelt").exists()


# What another run may not do


def refused(checkout: Path, output: Path, *arguments: str | Path) -> str:
    """Run the command, which has to refuse in one line and leave the folder as it was."""
    before = contents(output)
    code, printed, errors = command(checkout, output.parent, *arguments, "--output", output)
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert contents(output) == before
    return errors


def test_a_model_is_not_trained_over_unasked(checkout, recipe, trained):
    errors = refused(checkout, trained[0], recipe)
    assert str(trained[0]) in errors
    assert "--resume" in errors


def test_a_model_without_its_run_is_not_trained_over_by_resume(checkout, recipe, trained):
    output = recipe.parent / "downloaded"
    shutil.copytree(trained[0], output, ignore=shutil.ignore_patterns("run"))
    assert "not the run" in refused(checkout, output, recipe, "--resume")


def test_a_changed_recipe_is_refused_by_the_key(checkout, recipe, trained):
    changed = recipe.with_name("changed.toml")
    changed.write_text(recipe.read_text().replace("learning_rate = 0.02", "learning_rate = 0.01"))
    errors = refused(checkout, trained[0], changed, "--resume")
    assert "training.learning_rate = 0.02" in errors
    assert "0.01" in errors


def test_a_run_goes_on_in_a_release_that_has_more_options(recipe, trained, tmp_path):
    output = tmp_path / "older"
    shutil.copytree(trained[0], output)
    path = output / "run" / "run.json"
    record = json.loads(path.read_bytes())
    del record["recipe"]["training"]["schedule"], record["recipe"]["data"]["joined_share"]
    path.write_text(json.dumps(record))
    trainer = open_run(load_recipe(recipe), output, lambda *args: pytest.fail, resume=True)
    assert trainer.progress.update == 60


@pytest.mark.parametrize("name", ["train.en", "valid.de"])
def test_changed_text_is_refused(checkout, recipe, trained, name):
    path = recipe.with_name(name)
    before = path.read_bytes()
    first, rest = before.split(b"\n", 1)
    path.write_bytes(b" ".join(reversed(first.split(b" "))) + b"\n" + rest)
    try:
        assert "text has changed" in refused(checkout, trained[0], recipe, "--resume")
    finally:
        path.write_bytes(before)


def test_text_that_has_only_moved_is_the_same_text(trained, tmp_path):
    output = tmp_path / "trained"
    shutil.copytree(trained[0], output)
    moved = write_recipe(tmp_path / "elsewhere")
    trainer = open_run(
        load_recipe(moved), output, lambda tokenizers, text: pytest.fail, resume=True
    )
    assert trainer.progress.update == 60


@pytest.mark.parametrize("name", ["run.json", "source.spm"])
def test_a_damaged_run_is_refused_in_one_line(recipe, trained, tmp_path, name):
    output = tmp_path / "damaged"
    shutil.copytree(trained[0], output)
    path = output / "run" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TrainingError, match=rf"^{re.escape(str(output))}[^\n]*$"):
        open_run(load_recipe(recipe), output, pytest.fail, resume=True)


# Mistakes


def no_recipe(folder: Path) -> str:
    (folder / "tiny.toml").unlink()
    return "recipe tiny.toml: No such file or directory"


def misspelt_key(folder: Path) -> str:
    write_recipe(folder, training__learning_rat=0.1)
    return "unknown key training.learning_rat; did you mean learning_rate?"


def value_out_of_range(folder: Path) -> str:
    write_recipe(folder, training__updates=0)
    return "training.updates: Input should be greater than or equal to 1 (found 0)"


def no_corpus(folder: Path) -> str:
    (folder / "train.en").unlink()
    return f"{folder / 'train.en'}: No such file or directory"


def uneven_corpus(folder: Path) -> str:
    write_lines(folder / "valid.de", ["zwei Hunde"] * 23)
    return f"{folder / 'valid.de'} has 23 lines and {folder / 'valid.en'} 24: line 24"


def line_that_is_not_utf8(folder: Path) -> str:
    path = folder / "train.de"
    lines = path.read_bytes().split(b"\n")
    lines[2] = b"f\xfcnf Hunde"
    path.write_bytes(b"\n".join(lines))
    return f"{path}, line 3: not UTF-8"


def damaged_xz(folder: Path) -> str:
    write_recipe(folder, data__train_source=["train.de.xz"])
    path = folder / "train.de.xz"
    path.write_bytes(lzma.compress((folder / "train.de").read_bytes())[:-8])
    return f"{path}: damaged behind line 232"


def no_pair_to_validate_on(folder: Path) -> str:
    write_lines(folder / "valid.de", [""] * 24)
    return f"{folder / 'valid.de'}, to validate on: no pair is left: 24 read, 0 kept, 24 empty"


def vocabulary_too_large(folder: Path) -> str:
    write_recipe(folder, tokenizer__vocabulary_size=5000)
    return "tokenizer.vocabulary_size = 5000 does not suit 232 lines"


@pytest.mark.parametrize(
    "make",
    [
        no_recipe,
        misspelt_key,
        value_out_of_range,
        no_corpus,
        uneven_corpus,
        line_that_is_not_utf8,
        damaged_xz,
        vocabulary_too_large,
        no_pair_to_validate_on,
    ],
)
def test_a_mistake_is_told_in_one_line_and_leaves_no_folder(tmp_path, make):
    write_recipe(tmp_path)
    expected = make(tmp_path)
    code, printed, errors = command_here(tmp_path, "tiny.toml", "--output", "out")
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert expected in errors
    assert not (tmp_path / "out").exists()


def test_a_machine_without_a_gpu_says_so(checkout, tmp_path):
    write_recipe(tmp_path, training__device="cuda")
    code, printed, errors = command(checkout, tmp_path, "tiny.toml", "--output", "out")
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ")
    assert 'training.device = "cuda": no CUDA GPU is available' in errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tiny.toml", "--outptu", "out"], "--outptu"),
        (["tiny.toml"], "--output"),
        (["--output", "out"], "RECIPE.toml"),
        (["tiny.toml", "more", "--output", "out"], "more"),
        ([], "--output"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_line(tmp_path, arguments, expected):
    code, printed, errors = command_here(tmp_path, *arguments)
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert expected in errors
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_comes_along_is_found_by_its_name(checkout, tmp_path):
    # The text is read from --data; it is too short for this recipe, which tells that it was found.
    # A folder of the recipe's name, as a model folder may well be called, does not hide it.
    write_recipe(tmp_path)
    (tmp_path / "multi30k-de-en").mkdir()
    (tmp_path / "corpora" / "multi30k").mkdir(parents=True)
    for name in ("train.de", "train.en", "valid.de", "valid.en"):
        content = lzma.compress((tmp_path / name).read_bytes())
        (tmp_path / "corpora" / "multi30k" / f"{name}.xz").write_bytes(content)
    arguments = ("multi30k-de-en", "--data", "corpora", "--output", "multi30k-de-en")
    code, _, errors = command(checkout, tmp_path, *arguments)
    assert code == 2
    assert "tokenizer.vocabulary_size = 5000 does not suit 232 lines" in errors
    assert list((tmp_path / "multi30k-de-en").iterdir()) == []


# Help


def test_help_names_every_option_and_recipe_and_fits_a_terminal(checkout, tmp_path):
    code, printed, errors = command(checkout, tmp_path, "--help")
    assert (code, errors) == (0, "")
    options = ("--output", "--data", "--resume", "--version", "--help", "RECIPE.toml")
    for name in (*options, *bundled_recipes()):
        assert name in printed
    assert "[default: its folder]" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_the_version_is_that_of_the_library(checkout, tmp_path):
    assert command(checkout, tmp_path, "--version") == (0, f"{mt.__version__}\n", "")


def test_help_and_a_misspelt_recipe_need_not_wait_for_torch(checkout):
    code = "import sys, scripts.train; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True)
