"""mt-translate --ray on two nodes: the bytes of a single process, whichever process is killed."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support import ray_cluster
from support.bundles import SOURCES, save_tiny_bundle
from support.commands import ROOT, assert_mistake, call, run

SHORT = ("--beam-size", "1", "--max-length-ratio", "0.5", "--max-length-extra", "1")
"""Little to compute a line, where only the way of the lines matters."""

VARIABLES = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}

on_a_cluster = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("ray"), reason="needs the extra [ray]"),
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="finds processes in /proc"),
]


def marked(test):
    for mark in on_a_cluster:
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, ray_cluster.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=VARIABLES,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text of three shards and a small one."""
    lines = (SOURCES[n % 23] if n % 100 == 0 else f"--- {n}" for n in range(120_000))
    text = "".join(f"{line}\n" for line in lines)
    folder = tmp_path / "corpus"
    (folder / "more").mkdir(parents=True)
    (folder / "big.de").write_text(text, encoding="utf-8")
    (folder / "more/small.de.gz").write_bytes(gzip.compress(text[:9_999].encode()))
    return folder


class Job:
    """mt-translate on the cluster."""

    def __init__(self, model: Path, corpus: Path, address: str, *more: str) -> None:
        self.output = corpus.with_name("out")
        job = ("--model", model, "--input", corpus, "--output", self.output, "--ray", address)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.translate", *map(str, (*job, *SHORT, *more))],
            stderr=subprocess.PIPE,
            text=True,
            env=VARIABLES,
        )

    def at_work(self) -> int:
        """A process that is writing a shard of the big text."""
        while True:
            assert self.process.poll() is None, self.end()
            for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
                try:
                    name = os.readlink(descriptor)
                except OSError:
                    continue
                if name.startswith(f"{self.output}.part/shards/.big.de."):
                    return int(descriptor.parts[2])
            time.sleep(0.05)

    def end(self) -> str:
        return self.process.communicate(timeout=300)[1]


def assert_whole(output: Path, model: Path, corpus: Path) -> None:
    """The output is what a process by itself makes of each text."""
    texts = {path.relative_to(corpus) for path in corpus.rglob("*") if path.is_file()}
    assert {path.relative_to(output) for path in output.rglob("*") if path.is_file()} == texts
    assert not output.with_name("out.part").exists()
    for text in texts:
        single = corpus.with_name(f"single-{text.name}")
        job = ("--model", model, "--input", corpus / text, "--output", single, *SHORT)
        assert run("translate", *job).returncode == 0
        assert (output / text).read_bytes() == single.read_bytes()


@marked
def test_a_process_killed_in_the_middle_changes_nothing(
    model: Path, corpus: Path, address: str
) -> None:
    job = Job(model, corpus, address)

    os.kill(job.at_work(), signal.SIGKILL)
    message = job.end()

    assert job.process.returncode == 0, message
    assert "done again, since a process died:\n" in message
    assert f"  {corpus / 'big.de'}, lines " in message
    assert_whole(job.output, model, corpus)


@marked
def test_a_killed_job_goes_on_with_what_is_not_done(
    model: Path, corpus: Path, address: str
) -> None:
    job = Job(model, corpus, address)
    shards = job.output.with_name("out.part") / "shards"
    while not [*shards.rglob("*-of-*.json")]:
        assert job.process.poll() is None, job.end()
        time.sleep(0.05)
    job.process.kill()
    job.end()
    refused = Job(model, corpus, address)
    assert "add --resume" in refused.end()
    done = {path: path.stat().st_mtime_ns for path in shards.rglob("*-of-*[0-9]")}

    again = Job(model, corpus, address, "--resume")
    message = again.end()

    assert again.process.returncode == 0, message
    assert f"{len(done)} of 4 shards are done already" in message
    assert_whole(job.output, model, corpus)


@pytest.mark.skipif(not find_spec("ray"), reason="needs the extra [ray]")
def test_an_address_without_a_cluster_is_told_in_one_line(model: Path, corpus: Path) -> None:
    job = ("--model", model, "--input", corpus / "more", "--output", corpus.with_name("out"))
    result = run("translate", *job, "--ray", "127.0.0.1:1")
    assert_mistake(result, "no Ray cluster at 127.0.0.1:1: ", "refused")


@pytest.fixture
def _signals() -> Iterator[None]:
    """mt-translate handles SIGTERM until its process ends."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_cluster_needs_files() -> None:
    assert_mistake(call("translate", "--ray", "auto"), "--ray needs --input and --output")


@pytest.mark.usefixtures("_signals")
def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "mt.jobs.cluster", raising=False)
    source = tmp_path / "in.de"
    source.touch()
    result = call("translate", "--ray", "auto", "--input", source, "--output", tmp_path / "out")
    assert_mistake(result, "--ray needs the extra [ray]")
