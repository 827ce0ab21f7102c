"""What the cells of a model are said to have computed, against the model and against a pencil."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mt.explain.activations import ObservedLayer, observe
from mt.explain.dependence import gradient_norms, kept, left_in_the_end
from mt.explain.summaries import summarise
from mt.explain.walk import walk
from mt.explain.watched import watch
from mt.lstm import Activations, LSTMState
from mt.model import Seq2Seq
from mt.tokens import BEGIN, END
from support.models import tiny_config, tiny_model

SOURCE, WRITTEN = [5, 9, 4, 7], [6, 12, 8, END]
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one direction": {"bidirectional": False},
    "reversed": {"bidirectional": False, "reverse_source": True},
    "residual": {"residual": True, "encoder_layers": 3, "decoder_layers": 3},
    "general attention": {"attention": "general"},
    "output_tanh off": {"output_tanh": False},
    "coupled gates": {"coupled_gates": True},
    "peepholes": {"peepholes": True},
    "layer norm": {"layer_norm": True},
}
every_kind = pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)


def ran(model: Seq2Seq) -> tuple[list[tuple[Any, Tensor, LSTMState | None, Tensor]], Tensor | None]:
    """Each layer of the model itself with its inputs [T, 1, I], initial state and outputs, as it
    ran; and its attention weights."""
    seen: list[tuple[Any, Tensor, LSTMState | None, Tensor]] = []

    def note(layer: Any, args: Any, kwargs: Any, result: Any) -> None:
        seen.append((layer, args[0], args[1] if len(args) > 1 else None, result[0]))

    for layer in (*model.encoder.layers, *model.decoder.layers):
        layer.register_forward_hook(note, with_kwargs=True)
    tokens, lengths = torch.tensor([[*SOURCE, END]]), torch.tensor([len(SOURCE) + 1])
    previous = torch.tensor([[BEGIN, *WRITTEN[:-1]]])
    with torch.no_grad():
        if model.decoder.attention is None:
            model(tokens, lengths, previous)
            return seen, None
        return seen, model.attention_weights(tokens, lengths, previous)[0]


@every_kind
def test_gates_are_those_of_the_reference_cells_on_what_the_model_fed_its_layers(
    changes: dict[str, Any],
) -> None:
    model = tiny_model(3, tiny_config(**changes))
    layers, attention = observe(watch(model), SOURCE, WRITTEN)
    seen, weights = ran(model)
    found = iter(layers)
    for layer, inputs, state, outputs in seen:
        reverse = model.encoder.reverse and state is None
        sides = []
        for direction, cell in enumerate(layer.cells()):
            initial = state and LSTMState(state.hidden[direction], state.cell[direction])
            gates = cell.unroll(inputs.flip(0) if direction else inputs, initial)
            observed = next(found)
            assert observed.backwards == ((direction == 1) != reverse)
            for ours, theirs in zip(observed.activations, gates, strict=True):
                # The cell's steps go as the layer reads, ours as the text stands.
                in_order = theirs[:, 0].flip(0) if observed.backwards else theirs[:, 0]
                torch.testing.assert_close(ours, in_order, rtol=0, atol=1e-6)
            sides.append(observed.activations.hidden)
        in_text_order = outputs[:, 0].flip(0) if reverse else outputs[:, 0]
        torch.testing.assert_close(torch.cat(sides, -1), in_text_order, rtol=0, atol=1e-6)
    assert next(found, None) is None
    assert (attention is None) == (weights is None)
    if attention is not None and weights is not None:
        torch.testing.assert_close(attention, weights, rtol=0, atol=1e-6)


def test_the_model_itself_stays_as_it_is() -> None:
    model = tiny_model(3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    watched = watch(model)
    gradient_norms(watched, SOURCE)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not any(parameter.requires_grad for parameter in watched.parameters())


def layer_of(forget: list[float], *, backwards: bool = False) -> ObservedLayer:
    """One unit that writes 1 at each step, from c = 2."""
    f = torch.tensor(forget)[:, None]
    ones = torch.ones_like(f)
    cells, c = [], 2.0
    for value in reversed(forget) if backwards else forget:
        c = value * c + 0.5
        cells.append(c)
    cell = torch.tensor(cells[::-1] if backwards else cells)[:, None]
    gates = Activations(0.5 * ones, f, ones, ones, cell, torch.tanh(cell))
    return ObservedLayer(
        "encoder", 1, backwards, gates, LSTMState(torch.zeros(1), torch.tensor([2.0]))
    )


def test_kept_is_the_product_of_the_forget_gates_behind() -> None:
    forward = kept(layer_of([0.3, 0.5, 0.2, 0.9]))[:, 0]
    assert forward.tolist() == pytest.approx([0.5 * 0.2 * 0.9, 0.2 * 0.9, 0.9, 1])
    backward = kept(layer_of([0.3, 0.5, 0.2, 0.9], backwards=True))[:, 0]
    assert backward.tolist() == pytest.approx([1, 0.3, 0.3 * 0.5, 0.3 * 0.5 * 0.2])


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_left_of_all_writing_is_the_final_cell(backwards: bool) -> None:
    forget = [0.3, 0.5, 0.2, 0.9]
    layer = layer_of(forget, backwards=backwards)
    final = layer.activations.cell[0 if backwards else -1, 0]
    left = left_in_the_end(layer)[:, 0].sum() + math.prod(forget) * 2.0
    assert float(left) == pytest.approx(float(final))


@every_kind
def test_gradients_are_those_of_finite_differences(changes: dict[str, Any]) -> None:
    model = tiny_model(5, tiny_config(**changes), dtype=torch.float64)
    found = gradient_norms(watch(model), SOURCE)
    tokens, lengths = torch.tensor([[*SOURCE, END]]), torch.tensor([len(SOURCE) + 1])

    def finals(place: int, step: Tensor) -> Tensor:
        """[layers, 2H]: with a token's embedding moved by a step."""
        shift = torch.zeros(len(SOURCE) + 1, 1, len(step), dtype=step.dtype)
        shift[len(SOURCE) - place if model.encoder.reverse else place, 0] = step
        hook = model.encoder.embedding.register_forward_hook(lambda _, __, out: out + shift)
        with torch.no_grad():
            hidden, cell = model.encoder(tokens, lengths).finals
        hook.remove()
        width = 3  # of one direction
        return torch.cat([hidden[:, 0].unflatten(-1, (-1, width)).flatten(0, 1),
                          cell[:, 0].unflatten(-1, (-1, width)).flatten(0, 1)], dim=-1)  # fmt: skip

    for place in range(len(SOURCE) + 1):
        steps = 1e-6 * torch.eye(5, dtype=torch.float64)
        columns = [(finals(place, step) - finals(place, -step)) / 2e-6 for step in steps]
        expected = torch.stack(columns).square().sum(dim=(0, 2)).sqrt()
        ours = torch.stack([norms[place] for norms in found])
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-9)


@every_kind
def test_the_numbers_of_a_walk_add_up(changes: dict[str, Any]) -> None:
    model = tiny_model(7, tiny_config(**changes), dtype=torch.float64)
    layers, _ = observe(watch(model), SOURCE, WRITTEN)
    for layer in layers:
        steps = walk(layer, 1)
        places = range(len(steps))
        assert [step.position for step in steps] == [*(places[::-1] if layer.backwards else places)]
        assert steps[0].before == float(layer.initial.cell[1])
        product = 1.0
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            assert step.cell == pytest.approx(step.kept + step.written, abs=1e-12)
            assert step.hidden == pytest.approx(step.output * step.shown, abs=1e-12)
            if not changes.get("layer_norm"):
                tanh = changes.get("output_tanh", True)
                assert step.shown == pytest.approx(math.tanh(step.cell) if tanh else step.cell)
            assert following is None or following.before == step.cell
            product *= step.forget
        left = sum(step.left for step in steps) + product * steps[0].before
        assert left == pytest.approx(steps[-1].cell, abs=1e-12)


def test_summaries_count_gates_that_are_shut_and_open() -> None:
    gate = torch.tensor([[0.05, 0.95, 0.5, 0.99], [0.0, 0.05, 0.1, 0.9]])
    signed = torch.tensor([[-1.0, 1.0, 0.5, 0.5], [0.0, 0.0, -0.5, -0.5]])
    found = summarise(Activations(gate, gate, gate, signed, signed, signed))
    for name in ("input", "forget", "output"):
        mean, shut, opened = found[name]
        assert mean.tolist() == pytest.approx([2.49 / 4, 1.05 / 4])
        assert (shut.tolist(), opened.tolist()) == ([0.25, 0.5], [0.5, 0.0])
    for name in ("candidate", "cell", "hidden"):
        mean, magnitude = found[name]
        assert (mean.tolist(), magnitude.tolist()) == ([0.25, -0.25], [0.75, 0.25])
