"""Training: schedule, loop, checkpoints. Reads a corpus, moves a model, writes `run/`.

Start reading at `run`, which prepares one, and `loop`, which is one; `schedule` and `checkpoint`
are what they stand on.
"""

from mt.training.loop import Outcome, Report, Trainer, Validate
from mt.training.run import open_run

__all__ = ["Outcome", "Report", "Trainer", "Validate", "open_run"]
