"""A full disk or a kill at every step of a save, one after the other: the old or the new is whole.

A step is a call that changes a folder: a file opened, written, flushed, moved or removed.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from mt.bundle import load_bundle, save_bundle
from mt.config import TrainingConfig
from mt.training.averaging import make_averaging
from mt.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from support.bundles import tiny_bundle
from support.faults import Kind, fault_at

Save = Callable[[Path, int], None]
"""Stores a version, 1 or 2, in a folder."""
Load = Callable[[Path], int]
"""The version that a folder holds; raises if it holds none that is whole."""


def save_model(folder: Path, version: int) -> None:
    bundle = tiny_bundle(joint=version == 2)
    bundle = dataclasses.replace(bundle, record={**bundle.record, "update": version})
    save_bundle(folder, bundle, "# A model\n")


def load_model(folder: Path) -> int:
    bundle = load_bundle(folder)
    version = bundle.record["update"]
    assert bundle.config.joint_vocabulary == (version == 2)
    return version


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(3, 2)
    return model, torch.optim.Adam(model.parameters())


def save_run(folder: Path, version: int) -> None:
    model, optimizer = trained()
    nn.init.constant_(model.weight, version)
    averaging = make_averaging(model, TrainingConfig())
    save_checkpoint(folder, model, optimizer, averaging, Progress(update=version), {})


def load_run(folder: Path) -> int:
    model, optimizer = trained()
    averaging = make_averaging(model, TrainingConfig())
    found = load_checkpoint(folder, model, optimizer, averaging)
    assert found is not None
    assert bool((model.weight == found[0].update).all())
    return found[0].update


@pytest.mark.parametrize("kind", ["full", "killed"])
@pytest.mark.parametrize(
    ("save", "load", "moves"),
    [(save_model, load_model, 5), (save_run, load_run, 2)],
    ids=["bundle", "checkpoint"],
)
def test_whatever_step_fails_the_old_or_the_new_is_whole(
    tmp_path: Path, save: Save, load: Load, moves: int, kind: Kind
) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    save(fresh, 2)
    versions = []
    for step in itertools.count(1):
        folder = tmp_path / str(step)
        folder.mkdir()
        save(folder, 1)
        with fault_at(step, kind) as fault:
            save(folder, 2)
        versions.append(load(folder))
        if kind == "full":
            assert not list(folder.glob(".*.tmp"))
        save(folder, 2)  # a later one finds nothing in its way, and clears all of it away
        assert load(folder) == 2
        assert {path.name for path in folder.iterdir()} == {path.name for path in fresh.iterdir()}
        if not fault.happened:
            break
    # Old up to one step, new from then on; a file takes an opening, a write, two flushes, a move.
    assert versions == sorted(versions)
    assert set(versions) == {1, 2}
    assert len(versions) > 5 * moves
