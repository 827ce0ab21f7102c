"""The step size of each update.

Knows update numbers and how often the validation loss has stalled. Does not know models or
optimisers.
"""

from __future__ import annotations

import math

from mt.config import TrainingConfig

FINAL_SHARE = 0.01
"""What is left of the peak step size at the last update of a cosine schedule."""


def learning_rate(update: int, config: TrainingConfig, cuts: int = 0) -> float:
    """The step size of update 1, 2, ...: a linear warm-up to the peak, then the schedule's fall.

    Args:
        update: counted from 1.
        config: peak, warm-up and schedule.
        cuts: how often a plateau schedule has been told to cut (see `training.plateau_patience`).
    """
    assert update >= 1
    if update <= config.warmup_updates:
        return config.learning_rate * update / config.warmup_updates
    if config.schedule == "plateau":
        return config.learning_rate * config.plateau_factor**cuts
    return config.learning_rate * _cosine(update, config)


def _cosine(update: int, config: TrainingConfig) -> float:
    """Flat, then half a cosine down to FINAL_SHARE.

    The fall is where most of the last points of quality are won: it has to reach the end of the
    run, so `updates` is part of the recipe.
    """
    start = max(config.warmup_updates, round(config.decay_from * config.updates))
    if update <= start:
        return 1.0
    progress = min(1.0, (update - start) / max(1, config.updates - start))
    share = (1 + math.cos(math.pi * progress)) / 2
    return FINAL_SHARE + (1 - FINAL_SHARE) * share
