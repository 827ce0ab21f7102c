"""Usage counted by a process that is killed, for real: nothing twice, nothing lost but the last."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.clients.usage import read_usage
from support.commands import ROOT

COUNTING = """
import asyncio, sys
from pathlib import Path
from service.clients.usage import Usage

async def count():
    usage = Usage(Path(sys.argv[1]))
    await usage.open()
    print("earlier", usage.characters("ada"), flush=True)
    charged = 0
    while True:
        for _ in range(100):
            charged += 1
            usage.charge("ada", 1)
        print("charged", charged, flush=True)
        await usage.flush()
        print("written", charged, flush=True)

asyncio.run(count())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite"


def total(path: Path) -> int:
    return sum(count.characters for count in read_usage(path).values())


def test_killed_at_any_moment_a_process_has_counted_what_it_wrote_and_nothing_twice(path):
    moments = random.Random(1)
    before = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", COUNTING, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == f"earlier {before}\n"
            while not process.stdout.readline().startswith("written"):
                pass
            time.sleep(moments.uniform(0, 0.01))  # for nothing: any moment will do
            process.kill()
            said = [line.split() for line in process.stdout if line.endswith("\n")]
        written = max([100, *(int(count) for word, count in said if word == "written")])
        charged = max([written, *(int(count) for word, count in said if word == "charged")])
        # Between the last write and the next, killed in it, is not told, but may be done.
        assert before + written <= total(path) <= before + charged
        before = total(path)
    assert before >= 800
    counts = read_usage(path).values()
    assert sum(count.requests for count in counts) == before
