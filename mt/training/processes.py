"""Several processes that train one model together, each on its share of every batch.

Knows ranks and sums over them. Does not know models or batches. Every process holds the whole
model and makes the same step: the gradient is the sum of what each found on its share, so n
processes compute what one would (synchronous data parallelism; Goyal et al. 2017, 2). Dropout
draws differ between ranks, as they differ between rows of a batch.

`torchrun --nproc-per-node N ...` starts the processes and sets the variables read here; gloo
carries the sums between CPUs, NCCL between GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from mt.errors import TrainingError

PATIENCE = timedelta(days=1)
"""How long a process waits for the others: the first may tokenise for hours before they begin, and
one that dies is noticed at once, since its connections close."""


class Processes:
    """One process on its own, and what it has in common with a group."""

    rank = 0
    """This process among all of the run, from 0; the first one writes and reports."""
    count = 1
    local_rank = 0
    """This process among those of its machine: the number of its GPU."""

    @property
    def first(self) -> bool:
        return self.rank == 0

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The first process is through the block before any other enters it."""
        yield

    def sum(self, values: Tensor) -> Tensor:
        """The elementwise sum of every process's values, the same in all of them."""
        return values

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its sum over all processes; a missing one counts as zero."""

    def of_first(self, values: Tensor) -> Tensor:
        """The first process's values."""
        return values


class Group(Processes):
    """The processes of one torchrun."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self.local_rank = int(os.environ.get("LOCAL_RANK", self.rank))

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        if not self.first:
            self.sum(torch.zeros(1))
        yield
        if self.first:
            self.sum(torch.zeros(1))

    def sum(self, values: Tensor) -> Tensor:
        values = values.clone()
        with self._together():
            dist.all_reduce(values)
        return values

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        parameters = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        # One flat array: a sum of many small ones would be all latency.
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def of_first(self, values: Tensor) -> Tensor:
        return self.sum(values if self.first else torch.zeros_like(values))

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # gloo's and NCCL's own errors are RuntimeErrors
            raise TrainingError(
                f"process {self.rank} of {self.count} lost another one, which died or left; "
                "start all of them again with --resume to go on from the last checkpoint"
            ) from error


@contextmanager
def processes_of_environment() -> Iterator[Processes]:
    """The group that torchrun started this process in, or this process alone.

    Raises:
        TrainingError: the others cannot be reached.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    # Imported while there is a group, as optimisers do, this module keeps the group alive for good
    # in default arguments. Threads of it then outlive `destroy_process_group`, and one that lets go
    # of a tensor while the interpreter ends aborts the process.
    import torch.distributed.nn.functional

    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        # gloo as well where there are GPUs: `first_goes_first` sums on the CPU.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"the other processes cannot be reached: {error}") from error
    try:
        yield Group()
    finally:
        dist.destroy_process_group()
