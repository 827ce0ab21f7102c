"""The encoder-decoder part by part, in float64 where two ways of computing have to agree."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mt.config import Variant
from mt.lstm import LSTM, LoopedLSTM, LSTMState
from mt.model import Bridge, DecoderState, Seq2Seq, reverse_each
from mt.model.layers import LockedDropout, WordDropout
from mt.parameters import trained_parameters
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from support.models import SOURCE_SIZE, TARGET_SIZE, padded, tiny_config, tiny_model

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-12}
READINGS: dict[str, dict[str, Any]] = {
    "forward": {"bidirectional": False},
    "reversed": {"bidirectional": False, "reverse_source": True},
    "both": {"bidirectional": True},
}
readings = pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
SOURCES = [[4, 5, 6, 7, END], [8, END], [END], [9, 10, 4, END]]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


# Encoder


@readings
@pytest.mark.parametrize("layers", [1, 3])
def test_a_source_is_read_the_same_alone_and_padded(reading: dict[str, Any], layers: int) -> None:
    config = tiny_config(encoder_layers=layers, **reading)
    encoder = tiny_model(1, config, dtype=torch.float64).encoder
    finals = encoder(*padded(SOURCES)).finals
    for row, source in enumerate(SOURCES):
        alone = encoder(*padded([source])).finals  # no padding: the other path through LSTM.forward
        torch.testing.assert_close(finals.hidden[:, [row]], alone.hidden, **CLOSE)
        torch.testing.assert_close(finals.cell[:, [row]], alone.cell, **CLOSE)


@readings
def test_what_stands_in_the_padding_is_never_read(reading: dict[str, Any]) -> None:
    encoder = tiny_model(1, tiny_config(**reading)).encoder
    finals, others = encoder(*padded(SOURCES)).finals, encoder(*padded(SOURCES, filler=9)).finals
    assert torch.equal(finals.hidden, others.hidden)
    assert torch.equal(finals.cell, others.cell)


def test_reversal_is_the_plain_encoder_fed_the_source_backwards() -> None:
    config = tiny_config(bidirectional=False, reverse_source=True)
    plain = tiny_model(1, tiny_config(bidirectional=False), dtype=torch.float64).encoder
    reversing = tiny_model(1, config, dtype=torch.float64).encoder
    finals = reversing(*padded(SOURCES)).finals
    expected = plain(*padded([source[::-1] for source in SOURCES])).finals
    torch.testing.assert_close(finals.hidden, expected.hidden, **CLOSE)
    torch.testing.assert_close(finals.cell, expected.cell, **CLOSE)
    assert not torch.equal(finals.hidden, plain(*padded(SOURCES)).finals.hidden)


def test_reverse_each_turns_rows_within_their_own_lengths() -> None:
    tokens = torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0], [3, 0, 0, 0]])
    turned = reverse_each(tokens, torch.tensor([4, 2, 1]))
    assert turned.tolist() == [[3, 6, 5, 4], [3, 7, 0, 0], [3, 0, 0, 0]]


def test_final_states_of_both_directions_stand_side_by_side_for_each_layer() -> None:
    config = tiny_config(encoder_layers=2, encoder_hidden_size=3)
    encoder = tiny_model(1, config, dtype=torch.float64).encoder
    source, lengths = padded([[4, 5, 6, END]])
    finals = encoder(source, lengths).finals
    assert finals.hidden.shape == finals.cell.shape == (2, 1, 6)
    inputs = encoder.embedding(source.T)
    for depth, layer in enumerate(encoder.layers):
        inputs, state = layer(inputs)
        # Forward it ends at the last position, backward at the first.
        expected = torch.cat([inputs[-1, 0, :3], inputs[0, 0, 3:]])
        torch.testing.assert_close(finals.hidden[depth, 0], expected, **CLOSE)
        torch.testing.assert_close(finals.cell[depth, 0], state.cell[:, 0].flatten(), **CLOSE)


# Bridge


@pytest.mark.parametrize(("bidirectional", "decoder_width"), [(False, 3), (True, 6)])
def test_copying_hands_on_the_states_unchanged(bidirectional: bool, decoder_width: int) -> None:
    config = tiny_config(
        bridge="copy", bidirectional=bidirectional, decoder_hidden_size=decoder_width
    )
    finals = random_finals(config.encoder_layers, decoder_width)
    state = Bridge(config).eval()(finals)
    assert torch.equal(state.lstm.hidden, finals.hidden)
    assert torch.equal(state.lstm.cell, finals.cell)


@pytest.mark.parametrize(
    ("encoder_layers", "sources"),
    [(1, [0]), (2, [0, 1]), (1, [0, 0, 0]), (2, [0, 1, 1]), (3, [1, 2]), (3, [2])],
)
def test_each_decoder_layer_starts_from_one_encoder_layer_and_the_top_one_is_used(
    encoder_layers: int, sources: list[int]
) -> None:
    config = tiny_config(encoder_layers=encoder_layers, decoder_layers=len(sources))
    bridge = tiny_model(1, config).bridge
    finals = random_finals(encoder_layers, width=6)
    before = bridge(finals).lstm
    for changed in range(encoder_layers):
        for which in (0, 1):  # hidden, cell
            other = LSTMState(finals.hidden.clone(), finals.cell.clone())
            other[which][changed] += 1
            after = bridge(other).lstm
            moved = [
                not torch.equal(a, b) for a, b in zip(before[which], after[which], strict=True)
            ]
            assert moved == [source == changed for source in sources]
            assert torch.equal(before[1 - which], after[1 - which])


def test_a_linear_bridge_bounds_the_hidden_state_and_not_the_cell() -> None:
    bridge = tiny_model(1).bridge
    finals = random_finals(2, width=6)
    state = bridge(LSTMState(100 * finals.hidden, 100 * finals.cell)).lstm
    assert state.hidden.abs().max() <= 1
    assert state.cell.abs().max() > 10


def test_the_linear_bridge_is_an_affine_map_then_tanh_for_the_hidden_state() -> None:
    bridge = tiny_model(1, tiny_config(encoder_hidden_size=1, decoder_hidden_size=1)).bridge
    with torch.no_grad():
        for maps in (bridge.hidden, bridge.cell):
            for layer in maps:
                layer.get_parameter("weight").copy_(torch.tensor([[2.0, 3.0]]))
                layer.get_parameter("bias").fill_(-1.0)
    ones = torch.ones(2, 1, 2)
    state = bridge(LSTMState(ones, ones)).lstm
    assert state.cell.flatten().tolist() == [4, 4]  # 2 + 3 - 1
    torch.testing.assert_close(state.hidden, torch.tanh(state.cell))


@pytest.mark.parametrize("other", [{}, {"output_tanh": False}])
def test_the_memory_is_kept_in_full_precision_where_products_are_not(
    other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LSTM, "_unrolls", lambda self: True)
    model = tiny_model(1, tiny_config(**other))
    with torch.autocast("cpu", torch.bfloat16):
        state = model.encode(*padded([[5, 6, 7], [8, 9]]))
        inputs = torch.zeros(2, 2, model.decoder.layers[0].input_size)
        initial = LSTMState(state.lstm.hidden[0, None], state.lstm.cell[0, None])
        _, final = model.decoder.layers[0](inputs, initial)
    assert (state.lstm.cell.dtype, final.cell.dtype) == (torch.float32, torch.float32)


def test_without_context_it_is_zero_wide_and_nothing_is_learned_for_it() -> None:
    model = tiny_model(1, tiny_config(context_size=0))
    assert model.encode(*padded(SOURCES)).context.shape == (len(SOURCES), 0)
    assert not [name for name in trained_parameters(model) if "context" in name]


def test_the_context_summarises_every_final_state() -> None:
    bridge = tiny_model(1, tiny_config(context_size=7)).bridge
    finals = random_finals(2, width=6)
    before = bridge(finals).context
    assert before.shape == (1, 7)
    assert before.abs().max() <= 1
    for layer in range(2):
        for which in (0, 1):
            other = LSTMState(finals.hidden.clone(), finals.cell.clone())
            other[which][layer] += 1
            assert not torch.equal(bridge(other).context, before)


# Decoder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tied_output": False},
        {"deep_output": False, "embedding_size": 4},
        {"residual": True},
        {"output_tanh": False, "residual": True},
        {"coupled_gates": True},
        {"peepholes": True},
        {"layer_norm": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("context_size", [0, 7])
def test_teacher_forcing_equals_step_by_step(
    layers: int, context_size: int, options: dict[str, Any]
) -> None:
    config = tiny_config(
        encoder_layers=3, decoder_layers=layers, context_size=context_size, **options
    )
    model = tiny_model(1, config, dtype=torch.float64)
    source, lengths = padded(SOURCES)
    previous = torch.tensor(
        [[BEGIN, 5, 6, 7], [BEGIN, 8, 9, 4], [BEGIN, 4, 4, 4], [BEGIN, 5, 5, 6]]
    )
    at_once = model.logits(model(source, lengths, previous))
    assert at_once.shape == (4, len(SOURCES), TARGET_SIZE)
    state = model.encode(source, lengths)
    for tokens, expected in zip(previous.T, at_once, strict=True):
        logits, state = model.step(tokens, state)
        torch.testing.assert_close(logits, expected, **CLOSE)


def test_a_step_does_not_touch_the_state_it_was_given() -> None:
    model = tiny_model(1)
    state = model.encode(*padded(SOURCES))
    copies = [tensor.clone() for tensor in (*state.lstm, state.context)]
    model.step(torch.tensor([BEGIN] * len(SOURCES)), state)
    for tensor, copy in zip((*state.lstm, state.context), copies, strict=True):
        assert torch.equal(tensor, copy)


def test_selected_rows_go_on_as_the_rows_they_came_from() -> None:
    model = tiny_model(1, dtype=torch.float64)
    state = model.encode(*padded(SOURCES))
    rows = torch.tensor([3, 0, 0, 2, 1])
    tokens = torch.tensor([4, 5, 6, 7])
    expected, expected_after = model.step(tokens, state)
    logits, after = model.step(tokens[rows], state.select(rows))
    torch.testing.assert_close(logits, expected[rows], **CLOSE)
    torch.testing.assert_close(after.lstm.cell, expected_after.lstm.cell[:, rows], **CLOSE)
    assert torch.equal(after.context, state.context[rows])


@pytest.mark.parametrize("part", ["hidden", "cell", "context"])
def test_every_part_of_the_state_reaches_the_logits(part: str) -> None:
    model = tiny_model(1)
    state = model.encode(*padded([SOURCES[0]]))
    parts = {"hidden": state.lstm.hidden, "cell": state.lstm.cell, "context": state.context}
    changed = parts | {part: parts[part] + 0.5}
    other = DecoderState(LSTMState(changed["hidden"], changed["cell"]), changed["context"])
    begin = torch.tensor([BEGIN])
    assert not torch.equal(model.step(begin, other)[0], model.step(begin, state)[0])


# Residual connections


def test_a_residual_layer_that_says_nothing_hands_on_what_it_reads() -> None:
    config = tiny_config(encoder_layers=3, decoder_layers=3, residual=True, layer_dropout=0.9)
    model = tiny_model(1, config, dtype=torch.float64)
    source, lengths = padded(SOURCES)
    previous = torch.tensor([[BEGIN, 5, 6]] * len(SOURCES))
    state = model.encode(source, lengths)
    for layer in (model.encoder.layers[1], *model.decoder.layers[1:]):
        silence(layer)  # g = 0, so c = 0 and h = 0 from a state of 0
    for part in state.lstm:
        part[1:] = 0

    outputs, _ = model.encoder.layers[0](model.encoder.embedding(source.T), lengths=lengths)
    _, top = model.encoder.layers[2](outputs, lengths=lengths)
    finals = model.encoder(source, lengths).finals
    assert not finals.hidden[1].any()  # a layer's state is its own
    torch.testing.assert_close(finals.cell[2], torch.cat([*top.cell], dim=-1), **CLOSE)

    embedded = model.decoder.embedding(previous.T)
    context = state.context.expand(3, -1, -1)
    bottom, _ = model.decoder.layers[0](
        torch.cat([embedded, context], dim=-1),
        LSTMState(state.lstm.hidden[0, None], state.lstm.cell[0, None]),
    )
    expected = model.decoder.readout(torch.cat([bottom, context, embedded], dim=-1))
    torch.testing.assert_close(model.decoder(previous, state), expected, **CLOSE)
    # What passes beside a layer passes beside its dropout too.
    torch.testing.assert_close(model.decoder.train()(previous, state), expected, **CLOSE)
    readout, _ = model.decoder.step(previous[:, 0], state)
    torch.testing.assert_close(readout, expected[0], **CLOSE)


def test_nothing_passes_beside_the_first_layer_even_where_the_widths_agree() -> None:
    config = tiny_config(embedding_size=4, context_size=0, decoder_hidden_size=4, residual=True)
    model = tiny_model(1, config, dtype=torch.float64)
    for layer in model.decoder.layers:
        silence(layer)
    previous = torch.tensor([[BEGIN, 5, 6]])
    nothing = torch.zeros(2, 1, 4, dtype=torch.float64)
    state = DecoderState(LSTMState(nothing, nothing), torch.zeros(1, 0, dtype=torch.float64))
    embedded = model.decoder.embedding(previous.T)
    expected = model.decoder.readout(torch.cat([torch.zeros_like(embedded), embedded], dim=-1))
    torch.testing.assert_close(model.decoder(previous, state), expected, **CLOSE)
    torch.testing.assert_close(model.decoder.step(previous[:, 0], state)[0], expected[0], **CLOSE)


# Options of the cell


@pytest.mark.parametrize(
    ("options", "variant"),
    [
        ({}, None),
        ({"chrono_length": 20}, None),
        ({"weight_drop": 0.5}, None),
        ({"residual": True}, None),
        ({"output_tanh": False}, Variant(output_tanh=False)),
        ({"coupled_gates": True}, Variant(coupled_gates=True)),
        ({"peepholes": True}, Variant(peepholes=True)),
        ({"layer_norm": True}, Variant(layer_norm=True)),
    ],
)
def test_only_other_equations_leave_the_fused_path(
    options: dict[str, Any], variant: Variant | None
) -> None:
    model = tiny_model(1, tiny_config(**options))
    for layer in (*model.encoder.layers, *model.decoder.layers):
        if variant is None:
            assert isinstance(layer, LSTM)
        else:
            assert isinstance(layer, LoopedLSTM)
            assert layer.variant == variant


def test_the_source_embedding_begins_as_large_as_is_asked_for() -> None:
    config = tiny_config(embedding_size=400)
    for std, expected in ((0.0, 0.05), (1.0, 1.0)):
        torch.manual_seed(1)
        model = Seq2Seq(
            config.model_copy(update={"source_embedding_std": std}), SOURCE_SIZE, TARGET_SIZE
        )
        assert model.encoder.embedding.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert model.decoder.embedding.weight.std().item() == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("peepholes", [False, True], ids=["fused", "looped"])
def test_initial_biases_and_weight_drop_reach_every_layer(peepholes: bool) -> None:
    config = tiny_config(peepholes=peepholes, forget_bias=-2.0, weight_drop=0.25)
    model = Seq2Seq(config, SOURCE_SIZE, TARGET_SIZE)
    for layer in (*model.encoder.layers, *model.decoder.layers):
        assert layer.weight_drop == 0.25
        assert all((cell.b_f == -2).all() for cell in layer.cells())
    model = Seq2Seq(tiny_config(peepholes=peepholes, chrono_length=20), SOURCE_SIZE, TARGET_SIZE)
    for layer in (*model.encoder.layers, *model.decoder.layers):
        for cell in layer.cells():
            assert torch.equal(cell.b_i, -cell.b_f)
            assert (cell.b_f > 0).all()


# Output layer


def test_a_tied_output_layer_is_the_target_embedding_itself() -> None:
    model = tiny_model(1, tiny_config(tied_output=True))
    assert model.output_weight is model.decoder.embedding.weight


def test_a_separate_output_layer_has_weights_of_its_own() -> None:
    tied, separate = (tiny_model(1, tiny_config(tied_output=tied)) for tied in (True, False))
    assert separate.output_weight is not separate.decoder.embedding.weight
    sizes = [sum(p.numel() for p in trained_parameters(m).values()) for m in (tied, separate)]
    assert sizes[1] - sizes[0] == TARGET_SIZE * 5  # V x E


def test_logits_compare_the_readout_with_every_piece_and_add_its_bias() -> None:
    model = tiny_model(1, tiny_config(embedding_size=2), target_size=3)
    with torch.no_grad():
        model.output_weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]))
        model.output_bias.copy_(torch.tensor([0.0, 10.0, 0.5]))
    # (3, 4) . (1, 0) = 3;  (3, 4) . (0, 1) + 10 = 14;  (3, 4) . (2, -1) + 0.5 = 2.5
    assert model.logits(torch.tensor([3.0, 4.0])).tolist() == [3, 14, 2.5]


def test_without_deep_output_the_hidden_state_itself_is_compared_with_the_pieces() -> None:
    model = tiny_model(1, tiny_config(deep_output=False, embedding_size=4))
    source, lengths = padded(SOURCES)
    previous = torch.full((len(SOURCES),), BEGIN)
    readout, state = model.decoder.step(previous, model.encode(source, lengths))
    assert torch.equal(readout, state.lstm.hidden[-1])
    assert not any("readout" in name for name in trained_parameters(model))


@pytest.mark.parametrize("tied_output", [True, False])
def test_embeddings_start_with_vectors_of_about_unit_length(tied_output: bool) -> None:
    config = tiny_config(embedding_size=64, tied_output=tied_output)
    model = Seq2Seq(config, source_size=500, target_size=400)
    for weight in (
        model.encoder.embedding.weight,
        model.decoder.embedding.weight,
        model.output_weight,
    ):
        assert weight.norm(dim=1).mean().item() == pytest.approx(1, abs=0.05)


# Dropout


def test_locked_dropout_has_one_mask_for_all_steps() -> None:
    outputs = LockedDropout(0.25).train()(torch.ones(7, 200, 50))
    assert (outputs == outputs[0]).all()
    assert sorted(set(outputs[0].flatten().tolist())) == pytest.approx([0, 1 / 0.75])
    assert not torch.equal(outputs[0, 0], outputs[0, 1])  # each sequence has its own


def test_locked_dropout_keeps_the_mean() -> None:
    outputs = LockedDropout(0.25).train()(torch.ones(1, 200, 50))
    # Of 10,000 masks with variance 1/3 the mean has a standard deviation of 0.006.
    assert outputs.mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("module", [LockedDropout(0.9), WordDropout(0.9)])
def test_dropout_is_off_in_evaluation(module: torch.nn.Module) -> None:
    inputs = torch.full((20, 10, 4), 7)
    assert torch.equal(module.eval()(inputs), inputs)


def test_word_dropout_replaces_the_share_asked_for_by_the_unknown_token() -> None:
    outputs = WordDropout(0.3).train()(torch.full((100, 100), 7))
    assert set(outputs.flatten().tolist()) == {UNKNOWN, 7}
    # The share of 10,000 draws has a standard deviation of 0.0046.
    assert (outputs == UNKNOWN).double().mean().item() == pytest.approx(0.3, abs=0.02)


def test_word_dropout_leaves_special_tokens_alone_and_its_input_too() -> None:
    tokens = torch.tensor([[PAD, UNKNOWN, BEGIN, END, END + 1]] * 1000)
    before = tokens.clone()
    outputs = WordDropout(0.9).train()(tokens)
    assert torch.equal(outputs[:, :4], before[:, :4])
    assert set(outputs[:, 4].tolist()) == {UNKNOWN, END + 1}
    assert torch.equal(tokens, before)


@pytest.mark.parametrize(
    ("rate", "layers", "context_size", "acts_on"),
    [
        ("embedding_dropout", 1, 0, {"encoder", "decoder"}),
        ("word_dropout", 1, 0, {"encoder", "decoder"}),
        ("layer_dropout", 1, 0, set()),  # there is nothing between the layers
        ("layer_dropout", 2, 0, {"encoder", "decoder"}),
        ("layer_dropout", 1, 7, {"bridge"}),  # the context lies between encoder and decoder
        ("output_dropout", 1, 0, {"decoder"}),
    ],
)
def test_each_dropout_acts_where_it_says(
    rate: str, layers: int, context_size: int, acts_on: set[str]
) -> None:
    config = tiny_config(
        encoder_layers=layers, decoder_layers=layers, context_size=context_size, **{rate: 0.5}
    )
    model = tiny_model(1, config)
    source, lengths = padded([[4, 5, 6, 7, 8, 9, END]])
    previous = torch.tensor([[BEGIN, 4, 5, 6, 7, 8, 9]])
    finals = model.encoder(source, lengths).finals
    state = model.bridge(finals)

    def run(part: str) -> Tensor:
        if part == "encoder":
            hidden: Tensor = model.encoder(source, lengths).finals.hidden
            return hidden
        if part == "bridge":
            context: Tensor = model.bridge(finals).context
            return context
        readouts: Tensor = model.decoder(previous, state)
        return readouts

    expected = {part: run(part) for part in ("encoder", "bridge", "decoder")}
    model.train()
    assert {part for part in expected if not torch.equal(run(part), expected[part])} == acts_on
    model.eval()
    assert all(torch.equal(run(part), expected[part]) for part in expected)


@torch.no_grad()
def silence(layer: torch.nn.Module) -> None:
    for parameter in layer.parameters():
        parameter.zero_()


def random_finals(layers: int, width: int) -> LSTMState:
    """Final states [layers, 1, width] as an encoder might give them."""
    return LSTMState(torch.randn(layers, 1, width), torch.randn(layers, 1, width))
