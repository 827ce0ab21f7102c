"""Averages of a model's weights over training: what is validated and kept instead of the last ones.

Knows parameters and how to average them. Does not know losses, schedules or files. An average
lies nearer to the middle of the flat region that a noisy optimiser circles in, so it translates
better than any single point of the path, most of all while the step size is large.

    none          the weights as they are
    exponential   a' = d a + (1 - d) w after every update (after Polyak and Juditsky 1992, whose
                  mean is uniform); d rises from small to `ema_decay`, so that the first weights are
                  soon forgotten
    checkpoints   the mean of the weights at the last `average_checkpoints` validations (Vaswani et
                  al. 2017, 6.1)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mt.config import TrainingConfig

Weights = dict[str, Tensor]


class Averaging:
    """No average: the weights as they are, and what the averages have in common."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}

    def after_update(self, update: int) -> None:
        """Take note of the weights after an update, counted from 1."""

    def before_validation(self) -> None:
        """Take note of the weights that are about to be validated."""

    def average(self) -> Weights:
        """The averaged weights by parameter name; empty where they are the model's own."""
        return {}

    def state(self) -> Weights:
        """Everything a resumed run needs, by name."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the model has the averaged weights."""
        averaged = self.average()
        own = {name: self.parameters[name].detach().clone() for name in averaged}
        self._set(averaged)
        try:
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, weights: Weights) -> None:
        for name, weight in weights.items():
            self.parameters[name].copy_(weight)


class ExponentialAverage(Averaging):
    """The newest weights count most; older ones fade by the factor `decay` an update."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay = decay
        self._average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def after_update(self, update: int) -> None:
        # It lets the average follow the fast first updates, as TensorFlow's does.
        decay = min(self.decay, (1 + update) / (10 + update))
        torch._foreach_lerp_(
            list(self._average.values()), list(self.parameters.values()), 1 - decay
        )

    def average(self) -> Weights:
        return self._average

    def state(self) -> Weights:
        return self._average

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, average in self._average.items():
            average.copy_(state[name])


class CheckpointAverage(Averaging):
    """The plain mean over the last `count` validations, or as many as there were."""

    def __init__(self, model: nn.Module, count: int) -> None:
        super().__init__(model)
        self.count = count
        self._last: list[Weights] = []

    def before_validation(self) -> None:
        snapshot = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._last = [*self._last, snapshot][-self.count :]

    def average(self) -> Weights:
        return {
            name: torch.stack([weights[name] for weights in self._last]).mean(dim=0)
            for name in (self._last[0] if self._last else {})
        }

    def state(self) -> Weights:
        return {
            f"{age}.{name}": weight
            for age, weights in enumerate(self._last)
            for name, weight in weights.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        snapshots: dict[int, Weights] = {}
        for key, weight in state.items():
            age, name = key.split(".", maxsplit=1)
            snapshots.setdefault(int(age), {})[name] = weight.to(self.parameters[name].device)
        self._last = [snapshots[age] for age in sorted(snapshots)]


def make_averaging(model: nn.Module, config: TrainingConfig) -> Averaging:
    """The average that the options ask for."""
    match config.averaging:
        case "exponential":
            return ExponentialAverage(model, config.ema_decay)
        case "checkpoints":
            return CheckpointAverage(model, config.average_checkpoints)
        case "none":
            return Averaging(model)
