"""A training run on disk: everything needed to go on as if nothing had happened.

Knows tensors and progress. Does not know how either came about. A checkpoint is one safetensors
file, named by its update, and `checkpoint.json`, which names that file with its hash. The JSON is
replaced last, in one move, so a kill at any moment leaves the previous checkpoint whole.

There is no random state to save: each update draws from a generator seeded by seed, update and the
process that it is of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ConfigDict, TypeAdapter
from torch import Tensor, nn

from mt.errors import TrainingError
from mt.system.files import remove_leftovers, sha256, write_atomic, write_json
from mt.training.averaging import Averaging

POINTER = "checkpoint.json"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Progress:
    """Where a run stands between two updates."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # of what a file says

    update: int = 0
    """Updates done."""
    epoch: int = 0
    """Epochs begun before the current one."""
    batch: int = 0
    """Batches of the current epoch that are done."""
    best_score: float | None = None
    """The best validation score so far; None before the first validation."""
    best_score_nll: float | None = None
    """The validation loss that came with it, which tells equal scores apart."""
    best_update: int = 0
    """Update of the best score."""
    failures: int = 0
    """Validations in a row without a better score."""
    best_nll: float | None = None
    """The lowest validation loss so far, which a plateau schedule watches."""
    stalled: int = 0
    """Validations in a row without a lower loss, since the step size was last cut."""
    cuts: int = 0
    """How often a plateau schedule has cut the step size."""
    seconds: float = 0.0
    """Time spent training, over all parts of a resumed run."""
    window: dict[str, float] = field(default_factory=dict)
    """Sums over the updates since the last "train" line of metrics, by what is summed; of a loop
    that is not `mt.training.loop`, what it counts by itself."""


_PROGRESS = TypeAdapter(Progress)


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaging: Averaging,
    progress: Progress,
    environment: dict[str, Any],
    objective: nn.Module | None = None,
) -> None:
    """Write a checkpoint and then remove the one before.

    Args:
        objective: what has parameters of its own beside the model's, if anything has.

    Raises:
        OSError: the folder cannot be written or is full; the checkpoint before still counts.
    """
    remove_leftovers(folder)  # of a save that was killed; first, for the disk may be full of them
    tensors = _weights("model", model) | _moments(optimizer) | _averages(averaging)
    if objective is not None:
        tensors |= _weights("objective", objective)
    content = safetensors.torch.save({name: t.contiguous() for name, t in tensors.items()})
    name = f"update-{progress.update:08d}.safetensors"
    write_atomic(folder / name, content)
    write_json(
        folder / POINTER,
        {
            "file": name,
            "sha256": sha256(content),
            "progress": asdict(progress),
            "environment": environment,
        },
    )
    for old in folder.glob("update-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaging: Averaging,
    objective: nn.Module | None = None,
) -> tuple[Progress, dict[str, Any]] | None:
    """Put model, optimiser and average back where the last checkpoint left them.

    Returns:
        The progress and the environment it was written in, or None if there is no checkpoint.

    Raises:
        TrainingError: the checkpoint is damaged or belongs to a model of another shape.
    """
    pointer = folder / POINTER
    if not pointer.exists():
        return None
    try:
        record = json.loads(pointer.read_bytes())
        content = (folder / record["file"]).read_bytes()
        intact = sha256(content) == record["sha256"]
        progress = _PROGRESS.validate_python(record["progress"])
        environment = dict(record["environment"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = " ".join(str(error).split())
        raise TrainingError(f"{pointer}: not a readable checkpoint: {why}") from error
    if not intact:
        raise TrainingError(f"{folder / record['file']}: content does not match its recorded hash")
    tensors = safetensors.torch.load(content)
    with _same_shape(folder):
        if objective is not None:
            objective.load_state_dict(_under(tensors, "objective."))
        _restore(model, optimizer, averaging, tensors)
    return progress, environment


def append_metrics(folder: Path, record: dict[str, Any]) -> None:
    """Add one line to metrics.jsonl.

    Raises:
        OSError: it cannot be written; the error names it.
    """
    path = folder / METRICS
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    except OSError as error:
        error.filename = str(path)  # a full disk names no file
        raise


def cut_metrics(folder: Path, update: int) -> None:
    """Drop the lines of metrics.jsonl past an update, which a resumed run will write again.

    Raises:
        TrainingError: a line is damaged; the file is as it was.
    """
    path = folder / METRICS
    if not path.exists():
        return
    kept = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):  # a kill may have left half a line at the end
            break
        try:
            past = json.loads(line)["update"] > update
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{path}, line {number}: not a record with an update") from error
        if not past:
            kept.append(line)
    write_atomic(path, b"".join(kept))


def _weights(name: str, model: nn.Module) -> dict[str, Tensor]:
    return {f"{name}.{part}": weight.detach().cpu() for part, weight in model.named_parameters()}


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    states: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"optimizer.{number}.{name}": tensor.cpu()
        for number, state in states.items()
        for name, tensor in state.items()
    }


def _averages(averaging: Averaging) -> dict[str, Tensor]:
    return {f"average.{name}": tensor.cpu() for name, tensor in averaging.state().items()}


def _restore(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    averaging: Averaging,
    tensors: dict[str, Tensor],
) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under(tensors, "optimizer.").items():
        number, moment = name.split(".")
        states.setdefault(int(number), {})[moment] = tensor
    model.load_state_dict(_under(tensors, "model."))
    optimizer.load_state_dict(
        {"state": states, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    averaging.restore(_under(tensors, "average."))


@contextmanager
def _same_shape(folder: Path) -> Iterator[None]:
    """Turns what torch says of another shape into an error of the user's."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder}: the checkpoint is of a model of another shape") from error


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
