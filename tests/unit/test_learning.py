"""Learning on sequences that are made up: the same again by its seed, cut off and gone on with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mt.demonstrations.learning import Point, Schooling, answers, course, learn, unseen_loss
from mt.demonstrations.networks import Network
from mt.errors import TrainingError


class Constant:
    """Wants 1 after the last step, whatever is shown; what it drew is noted, and the lengths."""

    inputs = 1
    outputs = 1

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.drawn: list[torch.Tensor] = []

    def batch(self, length, rows, random):
        self.lengths.append(length)
        self.drawn.append(torch.rand(length, rows, 1, generator=random))
        return self.drawn[-1], torch.ones(rows)

    def loss(self, outputs, wanted):
        return nn.functional.mse_loss(outputs[-1, :, 0], wanted)

    def baseline(self, length):
        return 1.0


SCHOOLING = Schooling(
    lengths=[3], updates=12, rows=4, learning_rate=0.05, mastered=0.0, checkpoint_every=5
)


def network(seed: int = 1, **options) -> Network:
    torch.manual_seed(seed)
    return Network(1, 4, 1, **options)


def weights(model: nn.Module) -> list[list[float]]:
    return [parameter.flatten().tolist() for parameter in model.parameters()]


def learned(folder, schooling=SCHOOLING, *, seed=1, **options):
    folder.mkdir(exist_ok=True)
    model = network(**options)
    points = learn(model, Constant(), schooling, seed=seed, folder=folder)
    return weights(model), points


@pytest.mark.parametrize("kind", ["lstm", "rnn"])
def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path, kind):
    first, again, other = (
        learned(tmp_path / name, seed=seed, kind=kind)[0]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("stop", [5, 7])
def test_a_run_cut_off_and_gone_on_with_ends_in_the_same_weights_and_curve(tmp_path, stop):
    schooling = SCHOOLING._replace(log_every=1)
    whole = learned(tmp_path / "whole", schooling)
    learned(tmp_path / "cut", schooling._replace(updates=stop))
    assert learned(tmp_path / "cut", schooling) == whole


def test_what_was_done_since_the_last_checkpoint_is_done_again(tmp_path):
    class CutError(Exception):
        pass

    class CutOff(Constant):
        def batch(self, length, rows, random):
            if len(self.lengths) == 7:
                raise CutError
            return super().batch(length, rows, random)

    schooling = SCHOOLING._replace(log_every=1)
    whole = learned(tmp_path / "whole", schooling)
    (tmp_path / "cut").mkdir()
    with pytest.raises(CutError):
        learn(network(), CutOff(), schooling, seed=1, folder=tmp_path / "cut")
    # Updates 6 and 7 are not in the checkpoint, but in the curve that was written so far.
    assert learned(tmp_path / "cut", schooling) == whole
    assert [point.update for point in whole[1]] == list(range(1, 13))


def test_a_length_is_passed_and_the_last_mastered_once_the_running_loss_has_fallen(tmp_path):
    class HalfOfTheBaseline(Constant):
        def loss(self, outputs, wanted):
            return super().loss(outputs, wanted) * 0 + 0.5

    task = HalfOfTheBaseline()
    schooling = SCHOOLING._replace(lengths=[2, 5], updates=500, passed=0.9, mastered=0.8)
    learn(network(), task, schooling, seed=1, folder=tmp_path)
    # The running loss starts at the baseline, at each length again: (1 + 0.98^n) / 2 after n
    # updates. 0.98^11 = 0.8007 and 0.98^12 = 0.7847; 0.98^25 = 0.6035 and 0.98^26 = 0.5914.
    assert task.lengths == [2] * 12 + [5] * 26


def test_a_course_out_of_updates_ends_where_it_is(tmp_path):
    task = Constant()
    points = learn(network(), task, SCHOOLING._replace(lengths=[2, 5]), seed=1, folder=tmp_path)
    assert task.lengths == [2] * 12
    assert course(5, points) == "after 12 updates, which only got to T = 2"
    assert course(2, points) == "after 12 updates"


def test_a_point_has_the_loss_of_its_own_sequences(tmp_path):
    _, points = learned(tmp_path / "a", SCHOOLING._replace(log_every=5))
    found = [(point.update, point.length) for point in points]
    assert found == [(1, 3), (5, 3), (10, 3), (12, 3)]  # the last one always
    model, task = network(), Constant()
    inputs, wanted = task.batch(3, 4, torch.Generator().manual_seed(1_000_003 + 1 + 1_000))
    assert points[0] == Point(1, 3, task.loss(model(inputs), wanted).item())


def test_the_sequences_tested_on_are_the_same_each_time_and_none_that_was_trained_on(tmp_path):
    model, task = network(), Constant()
    learn(model, task, SCHOOLING, seed=1, folder=tmp_path)
    trained_on = task.drawn.copy()
    tested = [outputs for outputs, _ in answers(model, task, 3, seed=1, batches=3, rows=4)]
    assert not any(a.equal(b) for a in trained_on for b in task.drawn[len(trained_on) :])
    again = [outputs for outputs, _ in answers(model, task, 3, seed=1, batches=3, rows=4)]
    assert all(a.equal(b) for a, b in zip(tested, again, strict=True))
    assert not tested[0].equal(tested[1])
    losses = [((outputs[-1, :, 0] - 1) ** 2).mean().item() for outputs in tested]
    rows = unseen_loss(model, task, 3, seed=1, batches=3)
    assert rows == pytest.approx(sum(losses) / 3, rel=0.2)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    class Broken(Constant):
        def loss(self, outputs, wanted):
            return super().loss(outputs, wanted) * math.inf

    with pytest.raises(TrainingError, match="update 1: the loss is inf"):
        learn(network(), Broken(), SCHOOLING, seed=1, folder=tmp_path)
