"""mt-demonstrate, run as a user runs it, and every demonstration by a plan of seconds."""

from __future__ import annotations

import json
import lzma
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mt.demonstrations import NAMES, find_demonstration
from mt.demonstrations.demonstration import Result
from mt.demonstrations.workspace import Workspace
from mt.errors import TrainingError
from support.commands import assert_mistake, call, run
from support.recipes import pairs

TINY: dict[str, dict[str, Any]] = {
    "carousel": {"steps": 20, "hidden": 3},
    "half-life": {"biases": (0, 1), "steps": 3},
    "gradients": {"length": 6, "hidden": 4, "rows": 3},
    "explosion": {"length": 6, "hidden": 4, "updates": 120},
    "first-token": {"cases": ((4, "0"), (4, "chrono")), "runs": 2, "hidden": 4},
    "adding": {"lengths": (4, 6), "hidden": 4},
    "copy-memory": {"delays": (3,), "hidden": 4},
    "reversal": {"cases": (("reversed", 8), ("copied", 8)), "test_rows": 10, "epoch_rows": 40},
    "agreement": {"train": 8, "valid": 2, "test": 6, "vocabulary_size": 100, "hidden": 8},
    "ablations": {
        "hidden": 8,
        "epoch_updates": 2,
        "batch_tokens": 64,
        "vocabulary_size": 40,
        "test_lines": 5,
    },
}
"""What is smaller than in the smoke plans."""


def tiny(name: str) -> Any:
    plan = find_demonstration(name).smoke._replace(**TINY[name])
    if hasattr(plan, "schooling"):
        plan = plan._replace(schooling=plan.schooling._replace(updates=40, rows=4))
    if name in ("reversal", "agreement"):
        changes = {"updates": 6, "validate_every": 3, "checkpoint_every": 3}
        plan = plan._replace(training=plan.training.model_copy(update=changes))
    return plan


def show(name: str, folder: Path, **options: Any) -> Result:
    workspace = Workspace(folder, data=folder.parent / "data", **options)
    with workspace.arithmetic():
        result: Result = find_demonstration(name).show(tiny(name), workspace)
    return result


def write_corpus(folder: Path) -> None:
    """A text of a few words by the names that ablations look for."""
    (folder / "multi30k").mkdir(parents=True)
    every = pairs()
    parts = {"train": every[:200], "valid": every[200:220], "test_2016_flickr": every[220:]}
    for part, chosen in parts.items():
        for language, side in (("de", 0), ("en", 1)):
            text = "".join(f"{pair[side]}\n" for pair in chosen)
            path = folder / "multi30k" / f"{part}.{language}.xz"
            path.write_bytes(lzma.compress(text.encode()))


@pytest.mark.parametrize("name", NAMES)
def test_every_demonstration_runs_and_does_not_compute_anew_what_it_has_found(
    name: str, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "data")
    first = show(name, tmp_path / "work")

    assert first.findings
    assert all(finding.source or finding.baseline is None for finding in first.findings)
    for picture in first.pictures:
        assert picture.curves
        assert all(len(curve.x) == len(curve.y) > 0 for curve in picture.curves)

    lines: list[str] = []
    again = show(name, tmp_path / "work", report=lines.append)
    assert [*again.findings] == [*first.findings]
    assert all(line.endswith(": found before") for line in lines)


@pytest.mark.parametrize("name", ["explosion", "first-token", "reversal"])
def test_the_same_seed_finds_the_same_and_another_one_does_not(name: str, tmp_path: Path) -> None:
    first, again, other = (
        show(name, tmp_path / folder, seed=seed).pictures[-1]
        for folder, seed in (("a", 1), ("b", 1), ("c", 5))
    )
    curves = [[list(curve.y) for curve in each.curves] for each in (first, again, other)]
    assert curves[0] == curves[1]
    if name != "reversal":  # whose exact matches are all zero after a few updates
        assert curves[0] != curves[2]


def test_a_demonstration_goes_on_after_the_cases_that_it_has_found(tmp_path: Path) -> None:
    whole = show("adding", tmp_path / "whole")
    show("adding", tmp_path / "cut")
    cases = tmp_path / "cut" / "cases"
    assert sorted(path.name for path in cases.iterdir()) == ["adding-4.json", "adding-6.json"]
    (cases / "adding-6.json").unlink()
    found = json.loads((cases / "adding-4.json").read_bytes())
    (cases / "adding-4.json").write_text(json.dumps(found | {"loss": 7.0}), encoding="utf-8")

    again = show("adding", tmp_path / "cut")

    assert again.findings[0].value == 7.0
    assert again.findings[1] == whole.findings[1]


def test_a_damaged_finding_is_refused(tmp_path: Path) -> None:
    show("adding", tmp_path / "work")
    (tmp_path / "work" / "cases" / "adding-4.json").write_text("{", encoding="utf-8")

    with pytest.raises(TrainingError, match=r"adding-4\.json: not a readable finding"):
        show("adding", tmp_path / "work")


def test_figures_are_printed_beside_their_baselines_and_kept_with_seed_and_plan(
    tmp_path: Path,
) -> None:
    result = run("demonstrate", "half-life", "--smoke", "--output", "out", folder=tmp_path)

    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert lines[2].split() == ["case", "measure", "found", "baseline", "which", "is"]
    assert lines[5].split()[:8] == ["b", "=", "1", "half-life", "in", "steps", "2.213", "2.213"]
    record = json.loads((tmp_path / "out" / "half-life-smoke" / "record.json").read_bytes())
    assert (record["seed"], record["threads"]) == (1, 1)
    assert record["plan"] == {"biases": [0, 1, 2, 3, 5], "steps": 40}
    assert record["findings"][0]["value"] == pytest.approx(1.0)
    assert len(record["pictures"][0]["curves"]) == 5


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the extra [plot]")
    result = call("demonstrate", "half-life", "--smoke", "--output", tmp_path)

    assert result.returncode == 0, result.stderr
    picture = tmp_path / "half-life-smoke" / "picture.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in result.stdout.decode()


def test_without_matplotlib_the_figures_are_there_and_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = import_module("scripts.demonstrate")
    monkeypatch.setattr(program, "_can_draw", lambda: False)

    result = call("demonstrate", "half-life", "--smoke", "--output", tmp_path)

    assert result.returncode == 0
    assert "no picture: drawing needs matplotlib" in result.stderr.decode()
    assert "picture.png" not in result.stdout.decode()
    assert {path.name for path in (tmp_path / "half-life-smoke").iterdir()} == {
        "plan.json",
        "record.json",
    }


def test_resume_goes_on_with_the_same_settings_only(tmp_path: Path) -> None:
    command = ["demonstrate", "half-life", "--smoke", "--output", str(tmp_path)]
    assert call(*command).returncode == 0

    assert_mistake(call(*command), "already holds a demonstration", "--resume")
    assert_mistake(call(*command, "--resume", "--seed", "2"), "begun with seed = 1, which is now 2")
    assert call(*command, "--resume").returncode == 0


def test_mistakes_are_told_in_one_line_and_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        (["carousels"], ["no demonstration 'carousels'", "there are carousel, half-life"]),
        (["ablations"], ["ablations need --data"]),
        (["half-life", "--data", "empty"], ["half-life makes its own text", "no use for --data"]),
        (["ablations", "--data", "empty"], ["train.de.xz", "no such file", "mt-download"]),
        (["carousel", "--threads", "0"], ["--threads", "greater than or equal to 1"]),
    ):
        assert_mistake(call("demonstrate", *arguments, "--smoke", folder=tmp_path), *words)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
