"""Runs in a peer's environment: loads one model, then translates or trains as each line asks.

Knows lines of JSON and time. Does not know any peer: a module beside this file, named on the
command line, has its model. Answers a line with a line:

    {"command": "translate", "batches": [[[7, 8], [9]], ...], "beam": 5, ...}
        -> {"seconds": 1.5, "outputs": [[4, 5, 6], ...]}
    {"command": "train", "batches": [[sources, targets], ...]}
        -> {"seconds": 2.5, "losses": [5.1, ...]}
    {"command": "memory"} -> {"peak_bytes": 480000000}

Sentences are token ids without special tokens. The end of input ends the process.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


def main(module: str, folder: Path) -> None:
    """`folder` holds shape.json and weights.npz, as `process.py` writes them."""
    answers = _answers()
    logging.disable(logging.INFO)
    shape = json.loads((folder / "shape.json").read_bytes())
    torch.set_num_threads(shape["threads"])
    torch.manual_seed(1)
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    peer = importlib.import_module(module).Peer(shape, weights)
    del weights
    commands: dict[str, Callable[..., Any]] = {
        "translate": _translate,
        "train": _train,
        "memory": _memory,
    }
    print(json.dumps({"version": peer.version, "torch": torch.__version__}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(commands[request.pop("command")](peer, **request)), file=answers)


def _answers() -> Any:
    """Standard output for answers alone: what a peer prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _translate(
    peer: Any, batches: Any, beam: int, length_penalty: float, length_ratio: float, extra: int
) -> dict[str, Any]:
    outputs: list[list[int]] = []
    started = time.perf_counter()
    for sources in batches:
        longest = int(length_ratio * max(map(len, sources))) + extra
        outputs += peer.translate(sources, beam, length_penalty, longest)
    return {"seconds": time.perf_counter() - started, "outputs": outputs}


def _train(peer: Any, batches: Any) -> dict[str, Any]:
    started = time.perf_counter()
    losses = [peer.train(sources, targets) for sources, targets in batches]
    return {"seconds": time.perf_counter() - started, "losses": losses}


def _memory(peer: Any) -> dict[str, Any]:
    # Not getrusage: that counts the process which started this one as well.
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"peak_bytes": int(line.split()[1]) * 1024}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
