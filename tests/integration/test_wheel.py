"""A wheel away from the checkout: nothing the programs and the service need stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROGRAMS = [
    *(
        "download",
        "train",
        "curves",
        "translate",
        "score",
        "tune",
        "evaluate",
        "info",
        "keys",
        "lexicon",
        "serve",
        "benchmark",
    ),
]


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built without a network by the build backend of the [dev] extra."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(checkout)],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Paths of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder holding the wheel's files as an install would lay them out."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_outside(unpacked: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -P keeps cwd out; PYTHONPATH comes before site-packages, so an editable install is not seen.
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
    )


def test_the_commands_are_declared(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        declared = archive.read(path).decode()
    for program in PROGRAMS:
        assert f"mt-{program} = scripts.{program}:main" in declared


def test_the_wheel_is_kept_off_public_indexes(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert "Classifier: Private :: Do Not Upload" in archive.read(path).decode()


@pytest.mark.parametrize("folder", ["mt", "service", "scripts"])
def test_every_file_of_a_package_is_inside(folder: str, names: set[str], checkout: Path) -> None:
    # Named from the checkout's side, so that a bundle, recipe or page added later is covered.
    launchers = {"scripts/serve", "scripts/test", "scripts/setup.sh"}
    kept = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert kept - launchers <= names
    assert not launchers & names


def test_bundle_recipes_and_type_marker_are_inside(names: set[str]) -> None:
    assert any(name.startswith("mt/models/") and name.endswith(".safetensors") for name in names)
    assert any(name.startswith("scripts/recipes/") and name.endswith(".toml") for name in names)
    assert "mt/py.typed" in names


def test_the_packages_are_taken_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    code = "import mt, service, scripts; print(mt.__file__, service.__file__, scripts.__file__)"
    ran = run_outside(unpacked, tmp_path, "-c", code)
    assert ran.stdout.count(str(unpacked)) == 3, ran.stderr


def test_a_program_runs_outside_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    ran = run_outside(unpacked, tmp_path, "-m", "scripts.translate", "--version")
    assert ran.returncode == 0, ran.stderr
    assert "0.1.0" in ran.stdout
