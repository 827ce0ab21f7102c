"""Kills and full disks, real ones, while a model folder is renewed: what is there always loads.

`test_faults.py` goes through the same steps one by one; here the system decides what happens.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mt.bundle import save_bundle
from support.bundles import save_tiny_bundle, tiny_bundle

PREPARED = """
import errno, os, random, resource, shutil, signal, sys, time
from pathlib import Path
from mt.bundle import load_bundle, save_bundle

old, new, folder = map(Path, sys.argv[1:])
bundles = {load_bundle(path).identity: load_bundle(path) for path in (old, new)}
first, second = bundles.values()
"""
"""Begins every program below: two models and the folder that is to hold the one or the other."""

KILLED = """
moments = random.Random(1)
seen = set()
for _ in range(10):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        while True:
            for bundle in bundles.values():
                save_bundle(folder, bundle, "card")
                os.write(writer, b".")
    os.read(reader, 1)  # one save is done, so there is a model
    time.sleep(moments.uniform(0, 0.04))  # for nothing: any moment will do
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    seen.add(load_bundle(folder).identity)
assert seen <= bundles.keys(), seen
save_bundle(folder, second, "card")
assert {p.name for p in folder.iterdir()} == {p.name for p in new.iterdir()}
"""

FULL = """
page = 4096
disk, filler = folder.parent, folder.parent / "filler"
for room in range(0, 2**30, 9 * page):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(old, folder)
    filler.write_bytes(b"")
    free = os.statvfs(disk).f_bavail * page
    filler.write_bytes(bytes(max(0, free - room)))
    try:
        save_bundle(folder, second, "card")
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        assert Path(error.filename).parent == folder, error
        assert load_bundle(folder).identity in bundles
        assert not list(folder.glob(".*.tmp"))
    else:
        break
assert room > 0, "it was never full"
assert load_bundle(folder).identity == second.identity
"""

LIMITED = """
everything = resource.getrlimit(resource.RLIMIT_FSIZE)
biggest = max(path.stat().st_size for path in new.iterdir())
for limit in range(0, biggest, biggest // 40):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(old, folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, everything[1]))
    try:
        save_bundle(folder, second, "card")
    except OSError as error:
        assert error.errno == errno.EFBIG, error
    else:
        raise AssertionError("the limit was never met")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, everything)
    assert load_bundle(folder).identity == first.identity
"""

PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")
"""Begins a command that may mount what it likes, unseen by the rest of the system."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two model folders that have no file in common."""
    folder = tmp_path_factory.mktemp("models")
    bundle = tiny_bundle(joint=True, decoder_hidden_size=20)
    save_bundle(folder / "new", bundle, "card")
    return save_tiny_bundle(folder / "old"), folder / "new"


def passes(program: str, models: tuple[Path, Path], folder: Path, *before: str) -> None:
    """Run a program, after the words of a command that runs it, to a good end."""
    command = [*before, sys.executable, "-c", PREPARED + program, *map(str, (*models, folder))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr


def test_ten_kills_at_random_moments_leave_a_model_that_loads(models, tmp_path):
    passes(KILLED, models, tmp_path / "model")


def test_a_file_that_may_not_grow_leaves_the_old_model(models, tmp_path):
    passes(LIMITED, models, tmp_path / "model")


def test_a_full_disk_leaves_a_model_that_loads(models, tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, of util-linux, to mount a small disk")
    allowed = subprocess.run([*PRIVATE, *mount], capture_output=True, text=True, check=False)
    if allowed.returncode != 0:
        pytest.skip(f"may not mount a small disk here: {allowed.stderr.strip()}")
    shell = f'{" ".join(mount)} && exec "$@"'
    passes(FULL, models, tmp_path / "model", *PRIVATE, "sh", "-c", shell, "sh")
