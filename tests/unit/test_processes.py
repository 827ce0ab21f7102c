import pytest
import torch
import torch.distributed as dist
from torch import nn

from mt.errors import TrainingError
from mt.training.processes import Group, Processes, processes_of_environment
from mt.training.step import draw_seed


@pytest.fixture
def group(tmp_path):
    """A group of one process, which is enough for all but the others."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield Group()
    dist.destroy_process_group()


@pytest.fixture(params=["alone", "group"])
def processes(request):
    return Processes() if request.param == "alone" else request.getfixturevalue("group")


def test_the_sum_over_one_process_is_its_own_values(processes):
    values = torch.tensor([1.0, 2.5])
    assert processes.first
    assert processes.sum(values).tolist() == [1.0, 2.5]
    assert processes.of_first(values).tolist() == [1.0, 2.5]
    with processes.first_goes_first():
        pass


def test_gradients_keep_their_shapes_and_a_missing_one_is_zero_in_a_group(group):
    weights = [nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(4))]
    weights[0].grad = torch.arange(6.0).reshape(2, 3)
    constant = nn.Parameter(torch.ones(1), requires_grad=False)
    group.sum_gradients([*weights, constant])
    assert weights[0].grad.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert weights[1].grad.tolist() == [0, 0, 0, 0]
    assert constant.grad is None


def test_a_lost_process_is_told_in_one_line(group, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(dist, "all_reduce", fail)
    with pytest.raises(TrainingError, match=r"process 0 of 1 lost another one.*--resume"):
        group.sum(torch.zeros(1))


def test_draws_differ_between_processes_updates_and_runs():
    places = [(seed, update, rank) for seed in (1, 2) for update in (1, 2) for rank in (0, 1)]
    assert len({draw_seed(*place) for place in places}) == len(places)


def test_without_a_launcher_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes_of_environment() as processes:
        assert (processes.rank, processes.count) == (0, 1)


def test_others_that_cannot_be_reached_are_told_in_one_line(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    with (
        pytest.raises(TrainingError, match=r"the other processes cannot be reached: .*RANK"),
        processes_of_environment(),
    ):
        pass
