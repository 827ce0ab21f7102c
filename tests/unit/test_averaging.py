import pytest
import torch
from torch import nn

from mt.config import TrainingConfig
from mt.training.averaging import CheckpointAverage, ExponentialAverage, make_averaging


class OneNumber(nn.Module):
    """A model of one weight, and a constant that is not trained."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([value]))
        self.constant = nn.Parameter(torch.zeros(1), requires_grad=False)

    def set(self, value: float) -> None:
        self.weight.data.fill_(value)


def applied(averaging) -> float:
    with averaging.applied():
        return averaging.parameters["weight"].item()


def test_the_exponential_average_follows_its_formula():
    model = OneNumber(8.0)
    averaging = ExponentialAverage(model, decay=0.5)
    model.set(0.0)
    averaging.after_update(1)  # decay (1 + 1) / (10 + 1): 8 * 2 / 11
    assert applied(averaging) == pytest.approx(16 / 11)
    averaging.after_update(100)  # decay 0.5 by now: 16 / 11 / 2
    assert applied(averaging) == pytest.approx(8 / 11)


def test_a_checkpoint_average_is_the_mean_of_the_last_validations():
    model = OneNumber(0.0)
    averaging = CheckpointAverage(model, count=2)
    means = []
    for value in (1.0, 3.0, 8.0):
        model.set(value)
        averaging.before_validation()
        means.append(applied(averaging))
    assert means == [1.0, 2.0, 5.5]


@pytest.mark.parametrize("kind", ["none", "exponential", "checkpoints"])
def test_the_model_has_its_own_weights_back_afterwards_even_after_an_error(kind):
    model = OneNumber(2.0)
    averaging = make_averaging(model, TrainingConfig(averaging=kind))
    averaging.before_validation()
    model.set(7.0)

    with pytest.raises(KeyError), averaging.applied():
        raise KeyError
    assert model.weight.item() == 7.0


@pytest.mark.parametrize("kind", ["none", "exponential", "checkpoints"])
def test_what_is_restored_goes_on_as_the_original_would(kind):
    config = TrainingConfig(averaging=kind, average_checkpoints=2)
    models = OneNumber(1.0), OneNumber(5.0)
    original, restored = (make_averaging(model, config) for model in models)
    for value in (2.0, 4.0):
        models[0].set(value)
        original.after_update(3)
        original.before_validation()
    restored.restore({name: tensor.clone() for name, tensor in original.state().items()})
    for model, averaging in zip(models, (original, restored), strict=True):
        model.set(9.0)
        averaging.after_update(4)
        averaging.before_validation()
    assert applied(original) == applied(restored)


def test_weights_that_are_not_trained_are_no_part_of_an_average():
    averaging = ExponentialAverage(OneNumber(1.0), decay=0.9)
    assert set(averaging.state()) == {"weight"}
