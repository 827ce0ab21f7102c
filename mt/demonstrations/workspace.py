"""Where a demonstration keeps what it has found so far, so that a run cut off can go on.

Knows a folder, its cases and the arithmetic they are computed with. Does not know what a case is.

A demonstration is made of cases, such as one length of one task. What a case found is a JSON file,
written once it is done; until then a folder of the same name holds its checkpoints.

    plan.json          what was begun: demonstration, sizes, seed
    cases/NAME.json    what a case found
    cases/NAME/        checkpoints of the case being computed
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mt.differences import first_difference
from mt.errors import TrainingError
from mt.system.files import remove_leftovers, write_json

Report = Callable[[str], None]
"""Takes a line about the progress of a demonstration."""
Findings = dict[str, Any]
"""What a case found: plain values."""

PLAN, CASES = "plan.json", "cases"


class Workspace:
    """The folder of one demonstration, and the options that all its cases share."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 1,
        threads: int = 1,
        data: Path | None = None,
        report: Report = lambda line: None,
    ) -> None:
        """
        Args:
            folder: of this demonstration alone; made when it is first needed.
            seed: of the first of several runs; the others count up from it.
            threads: CPU threads of all computations; the last digits depend on it.
            data: folder of parallel text, for demonstrations that need one.
            report: told what is being computed.
        """
        self.folder = folder
        self.seed = seed
        self.threads = threads
        self.data = data
        self.report = report

    def begin(self, settings: Mapping[str, Any], *, resume: bool) -> None:
        """Make the folder, or go on in one that the same settings have begun.

        Raises:
            TrainingError: it holds a demonstration and resume is not asked for, or one of other
                settings.
        """
        path = self.folder / PLAN
        # As JSON has them: a tuple comes back as a list.
        wanted = json.loads(json.dumps(settings))
        if path.exists():
            if not resume:
                raise TrainingError(
                    f"{self.folder} already holds a demonstration: add --resume to go on with it, "
                    "or choose another folder"
                )
            if found := first_difference(_read(path), wanted):
                name, before, now = found
                raise TrainingError(
                    f"{self.folder} was begun with {name} = {before!r}, which is now {now!r}: "
                    "restore it, or choose another folder"
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(path, wanted)

    def case(self, name: str, find: Callable[[Path], Findings]) -> Findings:
        """What a case found: read, or else computed and written.

        Args:
            name: of the case, fit for a file name.
            find: computes it; its argument is a folder for checkpoints, which is there.

        Raises:
            TrainingError: an earlier finding cannot be read.
        """
        cases = self.folder / CASES
        path, checkpoints = cases / f"{name}.json", cases / name
        if path.exists():
            self.report(f"{name}: found before")
            return _read(path)
        checkpoints.mkdir(parents=True, exist_ok=True)
        remove_leftovers(cases)
        found = find(checkpoints)
        write_json(path, found)
        shutil.rmtree(checkpoints)
        return found

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Within it torch has the threads asked for and takes denormal numbers for zero.

        A gradient that vanishes passes through the denormals, below 1e-38 in single precision,
        which processors compute many times more slowly. What is measured of such gradients is
        measured in double precision, where they begin below 1e-307.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(False)
            torch.set_num_threads(threads)


def _read(path: Path) -> Findings:
    try:
        found: Findings = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: not a readable finding: {error}") from error
    return found
