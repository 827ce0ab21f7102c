"""What one update makes of a gradient."""

import pytest
import torch

from mt.config import TrainingConfig
from mt.training.processes import Processes
from mt.training.step import Stepper
from support.models import tiny_model


def test_the_second_moment_decays_as_asked_and_small_gradients_take_whole_steps():
    config = TrainingConfig(learning_rate=0.1, adam_beta2=0.5, device="cpu", precision="fp32")
    stepper = Stepper(tiny_model(1), config, Processes())
    weight = stepper.model.output_bias
    weight.data.zero_()
    steps = []
    for gradient in (1e-6, 3e-6):
        before = weight.detach().clone()
        weight.grad = torch.full_like(weight, gradient)
        stepper.optimizer.step()
        steps.append((before - weight.detach())[5].item())
    # In millionths m = 0.1, then 0.9 * 0.1 + 0.1 * 3 = 0.39, and v = 0.5, then 0.5 * 0.5 + 0.5 * 9
    # = 4.75; each by 1 - beta^n, and 0.01 = 1e-8 keeps the root from zero (Kingma and Ba 2015).
    expected = [0.1 * 1 / (1 + 0.01), 0.1 * (0.39 / 0.19) / ((4.75 / 0.75) ** 0.5 + 0.01)]
    assert steps == pytest.approx(expected, rel=1e-3)
