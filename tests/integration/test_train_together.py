"""Several processes on one model, by the real launcher on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.commands import ROOT
from support.recipes import write_recipe

CALM = {
    "model__output_dropout": 0.0,
    "training__updates": 30,
    "training__validate_every": 15,
    "training__r_drop": 1.0,
    "training__bag_of_words": 0.3,
}
"""No randomness but in the first weights and the order, which all processes share, and every term
of the loss, with parameters of their own."""


def launch(folder: Path, recipe: Path, output: Path, count: int, *more: str) -> subprocess.Popen:
    return _torchrun(
        folder, count, "-m", "scripts.train", str(recipe), "--output", str(output), *more
    )


def _torchrun(folder: Path, count: int, *program: str) -> subprocess.Popen:
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"),  # any free port
        *program,
    ]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen) -> str:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return errors


def lines(output: Path, event: str) -> list[dict]:
    text = (output / "run" / "metrics.jsonl").read_text()
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("together"), **CALM)


@pytest.fixture(scope="module")
def pair(recipe) -> Path:
    output = recipe.parent / "pair"
    finished(launch(recipe.parent, recipe, output, 2))
    return output


def test_two_processes_have_the_loss_curve_of_one(recipe, pair):
    alone = recipe.parent / "alone"
    finished(launch(recipe.parent, recipe, alone, 1))
    for event, key in (("train", "loss"), ("validation", "nll")):
        expected = [line[key] for line in lines(alone, event)]
        assert [line[key] for line in lines(pair, event)] == pytest.approx(expected, rel=1e-3)
    assert len(lines(pair, "train")) == 30  # one process writes


def test_a_run_goes_on_with_another_number_of_processes_and_says_it_is_not_exact(recipe, pair):
    run = pair / "run"
    checkpoint = json.loads((run / "checkpoint.json").read_bytes())
    assert checkpoint["environment"]["processes"] == 2
    errors = finished(launch(recipe.parent, recipe, pair, 1, "--resume"))
    assert "not exact" in errors
    assert "'processes': {'was': 2, 'is': 1}" in errors


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the processes in /proc")
def test_a_killed_process_stops_the_others_with_a_clear_message(recipe):
    endless = write_recipe(recipe.parent / "endless", **{**CALM, "training__updates": 100_000})
    output = recipe.parent / "killed"
    process = launch(recipe.parent, endless, output, 2)
    try:
        while not (output / "run" / "checkpoint.json").exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        os.kill(_workers(process.pid)[-1], signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "lost another one" in errors
    assert "--resume" in errors
    assert (output / "run" / "checkpoint.json").exists()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the threads in /proc")
def test_no_thread_of_the_group_outlives_it(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import torch\n"
        "from mt.training import processes_of_environment\n"
        "with processes_of_environment() as processes:\n"
        "    processes.sum(torch.zeros(1))\n"
        "    import torch.distributed.nn.functional\n"  # as optimisers do in time
        "threads = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]\n"
        "sys.exit(any('gloo' in name for name in threads))\n"
    )
    finished(_torchrun(tmp_path, 2, str(program)))


def _workers(launcher: int) -> list[int]:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return [int(child) for child in children]
