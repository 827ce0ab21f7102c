"""Begins a training run, stops it behind its first update, and says what that took.

`python -m scripts.benchmarks.start ANSWER RECIPE OUTPUT SINCE`: RECIPE is JSON, SINCE the time of
day, in seconds, from which to count. ANSWER gets JSON: seconds to the end of each stage, and bytes.

Knows Linux's record of a process. A validator is never asked, since no run gets that far.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

INTERVAL = 0.01
"""Seconds between two looks at the memory."""


def main() -> None:
    """Begin the run and write the answer."""
    _, answer, recipe, output, since = sys.argv
    found = start(Path(recipe).read_text(), Path(output), float(since))
    Path(answer).write_text(json.dumps(found))


def start(recipe: str, output: Path, since: float) -> dict[str, Any]:
    """Seconds to the end of each stage, and memory at the end of the first update."""
    watch = _Watch()
    from mt.config import Recipe
    from mt.training import open_run

    seconds = {"imports": time.time() - since}
    trainer = open_run(Recipe.model_validate_json(recipe), output, lambda *text: _never)
    seconds["run_open"] = time.time() - since
    memory: dict[str, int] = {}

    def after_update() -> bool:
        seconds["first_update"] = time.time() - since
        memory.update(watch.stop())
        return True

    trainer.run(after_update)
    return {
        "seconds": seconds,
        "bytes": memory,
        "pairs": len(trainer.corpus(0)),
        "parameters": sum(each.numel() for each in trainer.model.parameters()),
    }


def resident() -> dict[str, int]:
    """Bytes in memory that belong to the process, and those that are pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    names = {"anonymous": "RssAnon", "mapped": "RssFile"}
    return {name: int(fields[field].split()[0]) * 1024 for name, field in names.items()}


class _Watch:
    """Looks at the memory of the process all the time, from when it is made until it is stopped."""

    def __init__(self) -> None:
        self._peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, int]:
        """`resident`, and the most that was anonymous so far."""
        self._stopped.set()
        self._thread.join()
        now = resident()
        return {**now, "peak_anonymous": max(self._peak, now["anonymous"])}

    def _look(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._peak = max(self._peak, resident()["anonymous"])


def _never(model: object) -> Mapping[str, Any]:
    raise AssertionError("a run of one update does not validate")


if __name__ == "__main__":
    main()
