"""mt-translate with several processes: the same bytes as with one, whichever of them is killed."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bundles import SOURCES, save_tiny_bundle
from support.commands import ROOT
from support.warm import WarmProgram

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir() or not hasattr(os, "pidfd_open"),
    reason="finds and watches processes as Linux does",
)

SHORT = ("--beam-size", "1", "--max-length-ratio", "0.5", "--max-length-extra", "1")
"""Little to compute a line, where only the way of the lines matters."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def translate(model: Path) -> Iterator[WarmProgram]:
    with WarmProgram("translate", model) as program:
        yield program


def text_of(count: int) -> bytes:
    """Lines with several ends, one in ten of them with something to translate; then an odd one."""
    lines = (SOURCES[number % 23] if number % 10 == 0 else "---" for number in range(count))
    ends = ("\n", "\r\n", "\n\n", " \n")
    return "".join(f"{line}{ends[n % 4]}" for n, line in enumerate(lines)).encode() + b"Ende?"


class Fed:
    """mt-translate with two workers, at lines that come through a pipe as a test hands them out."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.source, self.target = folder / "pipe", folder / "out.en"
        os.mkfifo(self.source)
        job = ("--model", model, "--input", self.source, "--output", self.target, *SHORT)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.translate", *map(str, job), "--workers", "2"],
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
            start_new_session=True,  # a group of its own, as a shell gives it
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.pipe = self.source.open("wb", buffering=0)

    def feed(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[self.pipe.write(rest) :]

    def end(self) -> str:
        """What it said, once it has ended."""
        _, message = self.process.communicate(timeout=120)
        self.pipe.close()
        return message.decode()

    def workers(self) -> list[int]:
        """The ids of both workers, each of which has translated a chunk."""
        record = self.target.with_name("out.en.part.json")
        while not record.exists() or json.loads(record.read_bytes())["progress"]["lines"] < 1000:
            assert self.process.poll() is None, self.end()
            time.sleep(0.05)
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        ids = [int(child) for path in children for child in path.read_text().split()]
        # Their sibling clears up what they might leave behind, and ends behind them.
        return [i for i in ids if b"spawn_main" in Path(f"/proc/{i}/cmdline").read_bytes()]


def assert_gone(processes: list[int]) -> None:
    """Processes of others, which cannot be waited for, end."""
    for process in processes:
        try:
            descriptor = os.pidfd_open(process)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(60_000), f"{process} goes on"
        os.close(descriptor)


def test_output_and_summary_are_those_of_one_process(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in.de.gz"
    source.write_bytes(gzip.compress(text_of(1_500)))
    outputs = [tmp_path / f"{count}.jsonl.xz" for count in "13"]
    job = ("--model", model, "--input", source, "--n-best", "2", "--min-score", "0.2")

    one, three = (
        translate.run(*job, "--output", output, "--workers", output.name[0]) for output in outputs
    )

    assert (one.returncode, three.returncode) == (0, 0), three.stderr
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert len(lzma.decompress(outputs[0].read_bytes()).splitlines()) == 1_876
    assert b"low_score" in one.stderr
    assert three.stderr == one.stderr


def test_a_killed_worker_is_replaced_and_its_lines_are_done_again(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    text = text_of(3_000)
    job = Fed(tmp_path, model)
    job.feed(text[: len(text) // 2])
    killed = job.workers()[0]

    os.kill(killed, signal.SIGKILL)
    job.feed(text[len(text) // 2 :])
    job.pipe.close()
    message = job.end()

    assert job.process.returncode == 0, message
    lines = re.search(
        rf"process {killed} has died \(killed by SIGKILL\).*: (.*/pipe, lines \d+-\d+)\n", message
    )
    assert lines, message
    assert f"done again, since 1 process died:\n  {lines[1]}\n" in message
    assert job.target.read_bytes() == translate.run("--model", model, *SHORT, stdin=text).stdout


def test_workers_end_with_a_killed_parent_and_others_go_on(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    text = text_of(3_000)
    source = tmp_path / "in.de"
    source.write_bytes(text)
    job = Fed(tmp_path, model)
    job.feed(text[: len(text) // 2])
    workers = job.workers()
    assert len(workers) == 2

    job.process.kill()
    job.end()

    assert_gone(workers)
    again = translate.run(
        *("--model", model, "--input", source, "--output", job.target, *SHORT),
        *("--workers", "2", "--resume"),
    )
    assert again.returncode == 0, again.stderr
    assert b"going on behind line 1" in again.stderr
    assert job.target.read_bytes() == translate.run("--model", model, *SHORT, stdin=text).stdout


def test_ctrl_c_leaves_no_worker_and_says_what_is_kept(model: Path, tmp_path: Path) -> None:
    job = Fed(tmp_path, model)
    job.feed(text_of(1_500))
    workers = job.workers()

    os.killpg(job.process.pid, signal.SIGINT)  # the terminal sends it to all of them
    message = job.end()

    assert job.process.returncode == 130
    assert re.fullmatch(r"the first [\d,]+ lines are in .*: go on with --resume\n", message), (
        message
    )
    assert_gone(workers)


def test_a_mistake_in_a_line_is_told_with_its_number(
    translate: WarmProgram, model: Path, tmp_path: Path
) -> None:
    rows, target = b"a\tb\n" * 1_200 + b"c\n", tmp_path / "out.tsv"

    result = translate.run(
        *("--model", model, "--output", target, "--column", "2", *SHORT),
        *("--workers", "2"),
        stdin=rows,
    )

    assert result.returncode == 2
    told, mistake = result.stderr.decode().splitlines()
    assert told == f"the first 1,000 lines are in {target}.part: go on with --resume"
    assert mistake.startswith("error: standard input, line 1201: column 2")
    assert mistake.endswith("has 1")
    record = json.loads((tmp_path / "out.tsv.part.json").read_bytes())
    assert record["progress"]["lines"] == 1_000


def test_who_types_gets_an_answer_to_each_line(model: Path) -> None:
    terminal, inner = pty.openpty()
    tty.setraw(inner)  # no echo
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.translate", "--model", str(model), "--workers", "2"],
        stdin=inner,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        os.close(inner)
        assert process.stdout is not None
        for line in (b"---\n", b"--\n"):
            os.write(terminal, line)
            assert process.stdout.readline() == line
        os.close(terminal)
        assert process.stdout.read() == b""
