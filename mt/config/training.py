"""[training]: how weights are learned, and when a run looks, saves and stops.

Knows nothing of the model or the text.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mt.config.options import Options


class TrainingConfig(Options):
    """[training]: optimisation, schedule, and when to look and to stop."""

    updates: int = Field(10_000, ge=1)
    """Optimiser steps of the whole run."""
    batch_tokens: int = Field(2048, ge=1)
    """Upper bound on target positions of a batch, padding included."""
    learning_rate: float = Field(2e-3, gt=0, le=1)
    """Peak step size of Adam (Kingma and Ba 2015)."""
    adam_beta2: float = Field(0.98, gt=0, lt=1)
    """Decay of Adam's second moment; the first is 0.9 (Vaswani et al. 2017, 5.3)."""
    warmup_updates: int = Field(300, ge=0)
    """Updates over which the step size rises linearly from 0 to its peak."""
    schedule: Literal["cosine", "plateau"] = "cosine"
    """How the step size falls from its peak: over the last part of the run (`decay_from`), or
    whenever the validation text says so (`plateau_patience`)."""
    decay_from: float = Field(0.4, ge=0, le=1)
    """Share of the run after which a cosine schedule falls, along half a cosine, to 1 % of its peak
    (Loshchilov and Hutter 2017, without restarts)."""
    plateau_patience: int = Field(2, ge=1)
    """Validations without a lower validation loss after which a plateau schedule cuts the step
    size."""
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    """What a plateau schedule multiplies the step size by."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this Euclidean norm (Pascanu et al. 2013)."""
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Probability mass spread evenly over the vocabulary (Szegedy et al. 2016)."""
    r_drop: float = Field(0.0, ge=0, le=100)
    """Weight alpha of R-Drop (Liang et al. 2021, eq. 4): each batch goes through the model twice,
    and predictions under different dropout are drawn together: any but `weight_drop`, whose mask
    both passes share. Their 5 was for translation. 0 is off; on, an update takes about 2.2 times as
    long on a CPU."""
    bag_of_words: float = Field(0.0, ge=0, le=10)
    """Weight of a second task: foretell the tokens of a translation, in no order, from the context
    or the decoder's first states (Ma et al. 2018). Its parameters are not kept in the model folder.
    0 is off."""
    averaging: Literal["none", "exponential", "checkpoints"] = "exponential"
    """Which average of the weights is validated and kept: none, an exponential one over updates
    (after Polyak and Juditsky 1992, whose mean is uniform), or the mean of the last validations
    (Vaswani et al. 2017, 6.1)."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Share of the exponential average that stays at each update: it spans about 1 / (1 - decay)
    updates."""
    average_checkpoints: int = Field(5, ge=1, le=50)
    """Validations whose weights `averaging = "checkpoints"` takes the mean of."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Decides initial weights, order, dropout, what [data] draws, and the tokenizers where the run
    trains them; the same seed repeats the run."""
    threads: int = Field(1, ge=1, le=256)
    """CPU threads; part of what makes a run repeat bit for bit."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the matrix products; auto takes bf16 where the processor has it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA GPU where there is one."""
    validate_every: int = Field(500, ge=1)
    """Updates between validations; each may renew the bundle."""
    validate_sentences: int = Field(1000, ge=1)
    """Validation sentences used while training, evenly spread over the file."""
    patience: int = Field(20, ge=1)
    """Validations without a better BLEU, exact match or perplexity after which the run stops
    early."""
    checkpoint_every: int = Field(500, ge=1)
    """Updates between checkpoints in run/."""
    log_every: int = Field(50, ge=1)
    """Updates between lines of run/metrics.jsonl."""
