"""A peer as a process of its own, which computes only while it is asked.

Knows the virtual environments of `PEERS`, the lines that `driver.py` speaks, and a folder for the
weights on their way. Does not know what a peer is made of.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mt.bundle import Bundle
from mt.config import SearchConfig
from mt.errors import ConfigError
from scripts.benchmarks.plain import Tokens, plain_shape, plain_weights
from scripts.benchmarks.systems import Outcome
from scripts.benchmarks.train import Pairs

PEERS = {"joeynmt": "JoeyNMT", "opennmt": "OpenNMT-py"}
"""What `--against NAME=ENVIRONMENT` may name, and what it is called in tables."""


class Peer:
    """Another program that holds the same model; `start_peer` starts and ends it."""

    precision = "fp32"

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.name = PEERS[name]
        self.versions = self._answer()
        """Of the program ("version") and its torch."""

    def translate(self, batches: Sequence[Sequence[Tokens]], search: SearchConfig) -> Outcome:
        """As `System.translate`."""
        answer = self._ask(
            "translate",
            batches=[[list(source) for source in batch] for batch in batches],
            beam=search.beam_size,
            length_penalty=search.length_penalty,
            length_ratio=search.max_length_ratio,
            extra=search.max_length_extra,
        )
        return Outcome(answer["seconds"], answer["outputs"])

    def learn(self, batches: Sequence[Pairs]) -> float:
        """As `Learner.learn`."""
        pairs = [(batch.sources, batch.targets) for batch in batches]
        return float(self._ask("train", batches=pairs)["seconds"])

    def peak_memory(self) -> int:
        """The most bytes that were resident so far."""
        return int(self._ask("memory")["peak_bytes"])

    def _ask(self, command: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:  # its own words are on standard error
            raise ConfigError(f"{self._process.args!r} ended with exit code {self._process.wait()}")
        return json.loads(line)


@contextmanager
def start_peer(against: str, bundle: Bundle, threads: int = 1) -> Iterator[Peer]:
    """Start the peer of `NAME=ENVIRONMENT` with a bundle's model.

    Raises:
        BundleError: the bundle's model is not one that other programs have.
        ConfigError: the name is none of `PEERS`, there is no Python, or the program fails.
    """
    name, python = _parsed(against)
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        arrays: dict[str, Any] = dict(plain_weights(bundle))
        np.savez(folder / "weights.npz", **arrays)
        (folder / "shape.json").write_text(json.dumps(plain_shape(bundle) | {"threads": threads}))
        driver = Path(__file__).with_name("driver.py")
        process = subprocess.Popen(
            [python, "-W", "ignore", driver, f"{name}_model", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(threads),
        )
        with process:
            try:
                yield Peer(name, process)
            finally:
                process.kill()


def _parsed(against: str) -> tuple[str, Path]:
    name, _, environment = against.partition("=")
    if name not in PEERS or not environment:
        known = ", ".join(f"{peer}=DIR" for peer in PEERS)
        raise ConfigError(f"--against {against}: known are {known}")
    python = Path(environment) / "bin" / "python"
    if not python.exists():
        raise ConfigError(f"--against {against}: there is no {python}")
    return name, python


def _environment(threads: int) -> dict[str, str]:
    """The caller's, without what would show the peer our packages, with this number of threads."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"OMP_NUM_THREADS": str(threads)}
