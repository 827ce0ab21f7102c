"""The step size of each update.

Knows update numbers. Does not know models or optimisers.
"""

from __future__ import annotations

import math

from mt.config import TrainingConfig

FINAL_SHARE = 0.01
"""What is left of the peak step size at the last update."""


def learning_rate(update: int, config: TrainingConfig) -> float:
    """The step size of update 1, 2, ...: linear warm-up, flat, then half a cosine down to 1 %.

    The fall is where most of the last points of quality are won: it has to reach the end of the
    run, so `updates` is part of the recipe (cosine annealing, Loshchilov and Hutter 2017, without
    restarts).
    """
    assert update >= 1
    if update <= config.warmup_updates:
        return config.learning_rate * update / config.warmup_updates
    start = max(config.warmup_updates, round(config.decay_from * config.updates))
    if update <= start:
        return config.learning_rate
    progress = min(1.0, (update - start) / max(1, config.updates - start))
    share = (1 + math.cos(math.pi * progress)) / 2
    return config.learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * share)
