"""What demonstrations compare with, their tasks and their analytic parts, checked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from mt.corpus import Sentences
from mt.demonstrations import NAMES, copy_memory, explosion, find_demonstration, gradients
from mt.demonstrations.ablations import ABLATIONS, change
from mt.demonstrations.adding import Adding
from mt.demonstrations.carousel import SHUT, _farthest_from_one, carousel
from mt.demonstrations.clamping import OPEN, clamp_open
from mt.demonstrations.copy_memory import BLANK, GO, TO_COPY, CopyMemory
from mt.demonstrations.first_token import FirstToken
from mt.demonstrations.gradients import Sentiment
from mt.demonstrations.half_life import expected, half_life, measured_half_life, retention
from mt.demonstrations.learning import curriculum
from mt.demonstrations.networks import Network, input_gradients
from mt.demonstrations.reversal import FIRST_DIGIT, digits, exact_match, longest_at, pairs
from mt.demonstrations.workspace import Workspace
from mt.errors import ConfigError
from mt.system.files import write_json
from mt.tokens import END
from support.models import padded, tiny_config, tiny_model


def drawn(task, length, rows=200, seed=3):
    return task.batch(length, rows, torch.Generator().manual_seed(seed))


class TestCarousel:
    def test_memory_and_gradient_are_exact_after_ten_thousand_steps(self):
        kept = carousel(10_000, 4, seed=1)
        assert kept.memory == [1.0] * 10_000
        assert kept.gradient == 1.0

    def test_the_biases_are_where_single_precision_rounds_to_one_and_to_zero(self):
        assert torch.sigmoid(torch.tensor([OPEN, SHUT])).tolist() == [1.0, 0.0]

    def test_a_gate_that_is_not_quite_open_leaks_by_its_power(self):
        kept = carousel(1000, 4, seed=1, forget_bias=8.0)
        assert kept.memory[-1] == pytest.approx(expected(8.0, 1000), rel=1e-4)
        assert kept.gradient == pytest.approx(expected(8.0, 1000), rel=1e-4)

    def test_the_unit_that_is_shown_has_lost_or_gained_most(self):
        assert _farthest_from_one(torch.tensor([1.0, 0.5, 1.25])) == 0.5
        assert _farthest_from_one(torch.tensor([0.9, 1.25, 1.0])) == 1.25


class TestHalfLife:
    @pytest.mark.parametrize(("bias", "steps"), [(0, 1.0), (1, 2.2), (2, 5.5), (3, 14.3), (5, 103)])
    def test_the_half_lives_are_the_known_ones(self, bias, steps):
        assert half_life(bias) == pytest.approx(steps, rel=0.02)

    def test_without_a_bias_half_is_left_after_each_step(self):
        assert retention(0.0, 3) == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8], rel=1e-12)

    @pytest.mark.parametrize("bias", [0.0, 1.0, 3.0])
    def test_a_fresh_cell_keeps_the_power_of_its_forget_gate(self, bias):
        left = retention(bias, 40)
        sigmoid = math.exp(bias) / (1 + math.exp(bias))
        assert left == pytest.approx([sigmoid**n for n in range(41)], rel=1e-6)
        assert measured_half_life(left) == pytest.approx(half_life(bias), rel=1e-6)

    def test_a_half_life_lies_between_the_steps_it_is_measured_at(self):
        assert measured_half_life([1.0, 0.25]) == pytest.approx(0.5)
        assert math.isnan(measured_half_life([1.0, 0.9]))


class TestAdding:
    def test_the_baseline_is_the_squared_error_of_the_mean(self):
        # E (u + v - 1)^2 = Var u + Var v, and Var u = E u^2 - (E u)^2 = 1/3 - 1/4.
        assert Adding().baseline(200) == float(2 * (Fraction(1, 3) - Fraction(1, 4)))
        assert round(Adding().baseline(200), 3) == 0.167
        _, sums = drawn(Adding(), 20, rows=40_000)
        ones = torch.ones(20, 40_000, 1)
        assert Adding().loss(ones, sums).item() == pytest.approx(1 / 6, rel=0.03)

    def test_one_number_of_each_half_is_marked_and_their_sum_is_wanted(self):
        inputs, wanted = drawn(Adding(), 7)
        numbers, marks = inputs.unbind(dim=2)
        assert marks[:3].sum(dim=0).eq(1).all()
        assert marks[3:].sum(dim=0).eq(1).all()
        for row in range(len(wanted)):
            marked = [numbers[t, row].item() for t in range(7) if marks[t, row] == 1]
            assert wanted[row].item() == pytest.approx(sum(marked))

    def test_every_place_is_marked_in_turn(self):
        inputs, _ = drawn(Adding(), 7)
        assert inputs[:, :, 1].any(dim=1).all()


class TestCopyMemory:
    def test_the_input_and_what_is_wanted_are_laid_out_as_in_the_paper(self):
        inputs, wanted = drawn(CopyMemory(), 4, rows=1)
        shown = inputs[:, 0].argmax(dim=1).tolist()
        symbols = shown[:TO_COPY]
        assert all(1 <= symbol <= 8 for symbol in symbols)
        assert shown[TO_COPY:] == [BLANK] * 3 + [GO] + [BLANK] * 10
        assert wanted[:, 0].tolist() == [BLANK] * 14 + symbols

    def test_all_symbols_occur(self):
        _, wanted = drawn(CopyMemory(), 4)
        assert wanted.unique().tolist() == list(range(9))

    @pytest.mark.parametrize(
        ("delay", "nats"), [(100, 0.1733), (200, 0.0945), (300, 0.0650), (500, 0.0400)]
    )
    def test_the_baseline_is_what_no_memory_costs(self, delay, nats):
        task = CopyMemory()
        assert round(task.baseline(delay), 4) == nats
        _, wanted = drawn(task, delay, rows=3)
        # Sure of the blanks, and of nothing but "no blank" where the symbols belong.
        outputs = torch.full((delay + 20, 3, 9), -1e4)
        outputs[:-TO_COPY, :, BLANK] = 0
        outputs[-TO_COPY:, :, 1:] = 0
        assert task.loss(outputs, wanted).item() == pytest.approx(
            10 * math.log(8) / (delay + 20), rel=1e-5
        )

    def test_blanks_are_no_symbols_to_get_right(self, tmp_path, monkeypatch):
        def one_symbol_and_blanks(network, task, length, *, seed):
            _, wanted = drawn(task, length, rows=2)
            given = torch.full_like(wanted, BLANK)
            given[-TO_COPY] = wanted[-TO_COPY]
            yield torch.nn.functional.one_hot(given, task.outputs).float(), wanted

        monkeypatch.setattr(copy_memory, "answers", one_symbol_and_blanks)
        plan = copy_memory.DEMONSTRATION.smoke
        plan = plan._replace(schooling=plan.schooling._replace(updates=1))
        found = copy_memory.show(plan, Workspace(tmp_path)).findings
        right = [finding.value for finding in found if finding.measure == "symbols right"]
        assert right == pytest.approx([1 / 10, 1 / 10])

    def test_a_curriculum_ends_at_the_length_that_counts(self):
        assert curriculum(2, 10, 2.0) == [2, 4, 8, 10]
        assert curriculum(1, 4, 1.1) == [1, 2, 3, 4]
        assert curriculum(5, 3, 2.0) == [3]


class TestFirstToken:
    def test_the_clue_stands_first_and_is_wanted(self):
        inputs, wanted = drawn(FirstToken(), 6)
        assert inputs.shape == (7, 200, 12)
        shown = inputs.argmax(dim=2)
        assert shown[0].tolist() == wanted.tolist()
        assert set(wanted.tolist()) == {0, 1}
        assert set(shown[1:].flatten().tolist()) == set(range(2, 12))

    def test_the_baseline_is_a_guess(self):
        _, wanted = drawn(FirstToken(), 6)
        loss = FirstToken().loss(torch.zeros(7, 200, 2), wanted)
        assert loss.item() == pytest.approx(FirstToken().baseline(6))


class TestSentiment:
    def test_the_larger_side_is_wanted_and_equal_sides_count_as_against(self):
        inputs, wanted = drawn(Sentiment(), 5)
        words = inputs.argmax(dim=2)
        for row in range(200):
            said = words[:, row].tolist()
            balance = sum(word < 6 for word in said) - sum(6 <= word < 12 for word in said)
            assert wanted[row].item() == (balance > 0)

    def test_the_baseline_is_a_guess(self):
        _, wanted = drawn(Sentiment(), 5)
        loss = Sentiment().loss(torch.zeros(5, 200, 1), wanted)
        assert loss.item() == pytest.approx(Sentiment().baseline(5))

    def test_gradients_are_compared_at_the_last_word_twenty_words_back_and_at_the_first(
        self, tmp_path
    ):
        # What its cases have found is read: at each word twice, or three times, the one before.
        (tmp_path / "cases").mkdir()
        norms = {"start": [2.0**n for n in range(24)], "trained": [3.0**n for n in range(24)]}
        for kind in ("lstm", "rnn"):
            found = {**norms, "accuracy": 0.75, "updates": 9}
            write_json(tmp_path / "cases" / f"gradients-{kind}.json", found)
        plan = gradients.DEMONSTRATION.smoke._replace(length=24)
        shown = gradients.show(plan, Workspace(tmp_path)).findings
        assert [finding.value for finding in shown] == [2.0**-20, 3.0**-23, 0.75] * 2


class TestNetworks:
    def test_the_gradient_of_a_layer_that_stretches_grows_with_every_step_back(self):
        network = Network(2, 1, 1, kind="rnn", gain=2.0)
        # At zero tanh is its argument, so every step back is a factor of 2.
        norms = input_gradients(network, torch.zeros(11, 1, 2), lambda outputs: outputs[-1].sum())
        assert norms[0] / norms[-1] == pytest.approx(2**10)

    def test_the_norms_come_first_step_first_and_leave_the_network_as_it_was(self):
        torch.manual_seed(1)
        network = Network(1, 1, 1, kind="rnn")
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
            network.layer.weight_ih_l0.fill_(1.0)
            network.layer.weight_hh_l0.fill_(0.5)
            network.readout.weight.fill_(3.0)
        inputs = torch.zeros(3, 4, 1)
        # dh_3/dx_t is 0.5 to the power of the steps between.
        norms = input_gradients(network, inputs, lambda outputs: outputs[-1].sum())
        assert norms == pytest.approx([0.75, 1.5, 3.0])
        assert network.readout.weight.dtype == torch.float32
        assert all(parameter.grad is None for parameter in network.parameters())


class TestExplosion:
    def test_only_the_run_without_clipping_leaves_the_finite_numbers(self, tmp_path):
        plan = explosion.DEMONSTRATION.full._replace(updates=60)
        found = explosion.show(plan, Workspace(tmp_path))
        figures = {(finding.case, finding.measure): finding.value for finding in found.findings}
        done, longest = "updates done before a number overflowed", "longest step of the weights"
        assert figures["clipped", done] == 60
        assert figures["unclipped", done] < 60
        # Learning rate times the norm that the gradient is clipped to.
        assert figures["clipped", longest] == pytest.approx(0.1)
        assert figures["unclipped", longest] > 1e3
        assert all(math.isfinite(value) for value in figures.values())


class TestReversal:
    def test_rows_become_token_ids_turned_round_or_not(self):
        reversed_ = pairs([[1, 2, 9]], "reversed")
        assert reversed_.source[0].tolist() == [FIRST_DIGIT + digit for digit in (1, 2, 9)]
        assert reversed_.target[0].tolist() == [FIRST_DIGIT + digit for digit in (9, 2, 1)]
        assert pairs([[1, 2, 9]], "copied").target[0].tolist() == reversed_.source[0].tolist()
        assert FIRST_DIGIT > END

    def test_rows_grow_to_the_longest_and_differ_from_epoch_to_epoch(self):
        plan = find_demonstration("reversal").full._replace(
            longest=6, growing_epochs=3, epoch_rows=60
        )
        assert [longest_at(plan, epoch) for epoch in range(5)] == [2, 4, 6, 6, 6]
        corpus = digits(plan, "copied", seed=1, epoch=2)
        assert sorted(corpus.source.lengths.tolist()) == sorted([1, 2, 3, 4, 5, 6] * 10)
        again, other = (digits(plan, "copied", seed=1, epoch=epoch) for epoch in (2, 3))
        assert corpus.source.ids.tolist() == again.source.ids.tolist()
        assert corpus.source.ids.tolist() != other.source.ids.tolist()

    def test_only_a_row_right_to_its_end_counts_as_a_match(self):
        model = tiny_model(1, source_size=14, target_size=14)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            model.output_bias[END] = 1.0  # it ends at once, whatever it has read
        sources = pairs([[5], [5, 6]], "copied")
        nothing = replace(sources, target=Sentences.of([[], []]))
        half = replace(sources, target=Sentences.of([[], [FIRST_DIGIT]]))
        found = [exact_match(model, corpus) for corpus in (sources, nothing, half)]
        assert found == [0.0, 1.0, 0.5]


class TestAblations:
    @pytest.mark.parametrize(("gate", "number"), [("input", 0), ("forget", 1), ("output", 2)])
    def test_a_clamped_gate_is_one_whatever_it_is_shown_and_stays_so(self, gate, number):
        model = tiny_model(1).train()
        clamp_open(model, gate)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
        source, lengths = padded([[4, 5, 6], [7, 8]])
        for _ in range(3):
            optimizer.zero_grad()
            model(source, lengths, source).square().sum().backward()
            optimizer.step()
        for layer in (*model.encoder.layers, *model.decoder.layers):
            for cell in layer.cells():
                gates = cell.unroll(5 * torch.randn(4, 2, cell.input_size))
                others = [gates[place] for place in range(3) if place != number]
                assert gates[number].eq(1).all()
                assert not any(values.eq(1).all() for values in others)

    def test_the_rest_of_a_clamped_model_still_learns(self):
        model = tiny_model(1).train()
        clamp_open(model, "forget")
        source, lengths = padded([[4, 5, 6], [7, 8]])
        model(source, lengths, source).square().sum().backward()
        rows = model.encoder.layers[0].fused.weight_ih_l0.grad.chunk(4)
        assert [bool(part.any()) for part in rows] == [True, False, True, True]

    def test_a_change_is_the_mean_of_paired_differences_with_students_interval(self):
        # Differences 1, 2, 3: mean 2, deviation 1; t at 2 degrees of freedom is 4.303.
        mean, half = change([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
        assert mean == pytest.approx(2.0)
        assert half == pytest.approx(4.303 / math.sqrt(3))

    def test_every_ablation_is_a_model_that_can_be_configured(self):
        for ablation in ABLATIONS:
            assert bool(ablation.clamped) != bool(ablation.options)
            assert tiny_config(**ablation.options)


def test_every_demonstration_is_found_by_its_name():
    for name in NAMES:
        assert find_demonstration(name).name == name
    with pytest.raises(ConfigError, match="'carousels': there are carousel, "):
        find_demonstration("carousels")
