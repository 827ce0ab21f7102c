import pytest

from mt.config import TrainingConfig
from mt.training.schedule import learning_rate


def rates(*at: int, **options: float) -> list[float]:
    """The step sizes of some updates of a run with a peak of 0.1."""
    config = TrainingConfig(learning_rate=0.1, **options)
    return [learning_rate(update, config) for update in at]


def test_warm_up_rises_in_equal_steps_and_then_stays():
    found = rates(1, 2, 3, 4, 5, 6, updates=10, warmup_updates=4, decay_from=0.6)
    assert found == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_the_fall_is_half_a_cosine_that_ends_at_one_percent():
    # Updates 7 to 10 are at 1/4, 2/4, 3/4 and 4/4 of the fall; the cosine's share of 0.099 is
    # (1 + cos(45, 90, 135, 180 degrees)) / 2, and 0.001 is added.
    found = rates(7, 8, 9, 10, updates=10, warmup_updates=4, decay_from=0.6)
    shares = [(1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0.0]
    assert found == pytest.approx([0.001 + 0.099 * share for share in shares])


def test_a_warm_up_that_outlasts_the_start_of_the_fall_is_finished_first():
    found = rates(7, 8, 9, 10, updates=10, warmup_updates=8, decay_from=0.2)
    assert found == pytest.approx([0.0875, 0.1, 0.0505, 0.001])


def test_a_warm_up_longer_than_the_run_never_reaches_the_peak():
    assert rates(1, 10, updates=10, warmup_updates=20) == pytest.approx([0.005, 0.05])


def test_without_warm_up_the_first_step_is_a_full_one():
    assert rates(1, 2, updates=10, warmup_updates=0, decay_from=0.4) == pytest.approx([0.1, 0.1])


def test_a_fall_from_the_end_is_no_fall():
    assert rates(1, 10, updates=10, warmup_updates=0, decay_from=1.0) == pytest.approx([0.1, 0.1])


def test_a_fall_from_the_start_falls_at_once():
    found = rates(1, 2, updates=2, warmup_updates=0, decay_from=0.0)
    assert found == pytest.approx([0.0505, 0.001])


@pytest.mark.parametrize(("warmup_updates", "rate"), [(0, 0.001), (1, 0.1), (2, 0.05)])
def test_a_run_of_one_update_takes_that_step(warmup_updates, rate):
    assert rates(1, updates=1, warmup_updates=warmup_updates) == pytest.approx([rate])


def test_a_plateau_schedule_stays_until_it_is_told_to_cut():
    config = TrainingConfig(
        learning_rate=0.1, warmup_updates=2, updates=10, schedule="plateau", plateau_factor=0.5
    )
    found = [
        learning_rate(update, config, cuts) for update, cuts in ((1, 0), (9, 0), (9, 1), (10, 3))
    ]
    assert found == pytest.approx([0.05, 0.1, 0.05, 0.0125])
