"""Training: schedule, loop, checkpoints. Reads a corpus, moves a model, writes `run/`.

Start reading at `run`, which prepares one, then `loop`, which is one, then `step`, which is one
update of it, by an `objective`. `data` finds or makes the pairs of a run, `initial` what it starts
from, `recorded` says whether one may go on. They stand on `schedule`, `averaging`, `checkpoint` and
`processes`; `defaults` makes a recipe of two plain files.
"""

from mt.training.loop import Outcome, Report, Trainer, Validate
from mt.training.processes import processes_of_environment
from mt.training.run import open_run

__all__ = ["Outcome", "Report", "Trainer", "Validate", "open_run", "processes_of_environment"]
