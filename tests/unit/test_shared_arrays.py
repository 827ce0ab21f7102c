"""Arrays that processes share: made once, whole or not at all; or each its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mt.engine.int8 import Int8Engine
from mt.system.shared_arrays import shared_arrays, shared_file
from support.bundles import tiny_bundle

SHAPES = [(2, 3), (4,)]

linux = pytest.mark.skipif(sys.platform != "linux", reason="there are no such files elsewhere")


def count_up(arrays):
    for number, array in enumerate(arrays):
        array[...] = np.arange(array.size).reshape(array.shape) + 10 * number


def never(arrays):
    raise AssertionError("they are whole already")


def arrays_of(path, fill):
    return [array.tolist() for array in shared_arrays(path, SHAPES, np.float16, fill)]


COUNTED = [[[0, 1, 2], [3, 4, 5]], [10, 11, 12, 13]]


@linux
def test_the_first_makes_them_and_the_others_map_them():
    with shared_file() as path:
        assert arrays_of(path, count_up) == COUNTED
        assert arrays_of(path, never) == COUNTED
        first, _ = shared_arrays(path, SHAPES, np.float16, never)
        assert not first.flags.writeable
    assert not path.exists()
    assert first.tolist() == COUNTED[0]  # for as long as anyone has them


@linux
def test_what_was_not_made_to_the_end_is_made_again():
    def fail(arrays):
        count_up(arrays)
        raise ValueError("no")

    with shared_file() as path:
        with pytest.raises(ValueError, match="no"):
            arrays_of(path, fail)
        assert arrays_of(path, count_up) == COUNTED


@linux
def test_another_process_has_them_too():
    with shared_file() as path:
        arrays_of(path, count_up)
        found = subprocess.run(
            [sys.executable, "-c", MAPS, path], capture_output=True, text=True, check=True
        )
    assert found.stdout.strip().replace(".0", "") == str(COUNTED)


MAPS = """
import sys
from pathlib import Path
import numpy as np
from mt.system.shared_arrays import shared_arrays
arrays = shared_arrays(Path(sys.argv[1]), [(2, 3), (4,)], np.float16, None)
print([array.tolist() for array in arrays])
"""


@linux
def test_two_that_need_them_at_once_wait_for_each_other():
    import fcntl

    with shared_file() as path, path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [sys.executable, "-c", WAITS, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as waiting:
            assert waiting.stdout.readline() == b"here\n"
            assert waiting.poll() is None
            fcntl.flock(held, fcntl.LOCK_UN)
            assert waiting.stdout.read() == b"made\n"
        assert waiting.returncode == 0


WAITS = """
import sys
from pathlib import Path
import numpy as np
from mt.system.shared_arrays import shared_arrays
print("here", flush=True)
shared_arrays(Path(sys.argv[1]), [(2,)], np.float16, lambda arrays: print("made", flush=True))
"""


@pytest.mark.parametrize("path", [None, Path("/proc/1/fd/none"), Path("no/such/file")])
def test_without_a_file_they_are_the_process_s_own(path, caplog):
    assert arrays_of(path, count_up) == arrays_of(path, count_up) == COUNTED
    assert ("each process has its tables for itself" in caplog.text) == (path is not None)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_where_the_system_has_no_such_files_there_is_none(monkeypatch, platform):
    def refuse(name):
        raise OSError("not here")

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "memfd_create", refuse, raising=False)
    with shared_file() as path:
        assert path is None


@linux
def test_an_engine_with_shared_tables_gives_the_same_bits():
    bundle = tiny_bundle()
    sources, previous = [[5, 6, 7], [8]], np.array([2, 2])
    own = Int8Engine.load(bundle)
    with shared_file() as path:
        engines = [own, *(Int8Engine.load(bundle, shared=path) for _ in range(2))]
        assert os.stat(path).st_size > 0
        first, *others = [engine.step(previous, engine.start(sources))[0] for engine in engines]
    for other in others:
        np.testing.assert_array_equal(first, other)
