"""mt-benchmark's arithmetic, on numbers that can be followed with a pencil."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mt.config import ModelConfig, SearchConfig
from mt.errors import BundleError, ConfigError, InputError
from mt.parameters import load_model
from mt.tokens import BEGIN, END
from scripts.benchmarks import limits
from scripts.benchmarks.decode import Task, decoding_table, measure_decoding
from scripts.benchmarks.latency import latency_table, measure_latency
from scripts.benchmarks.limits import Limits, work_of
from scripts.benchmarks.machine import cpu_pressure, warning
from scripts.benchmarks.memory import measure_memory, memory_table
from scripts.benchmarks.peers.process import start_peer
from scripts.benchmarks.plain import BareModel, plain_weights
from scripts.benchmarks.scale import _row, preparation_table, starts_table
from scripts.benchmarks.systems import (
    BareSystem,
    Outcome,
    OwnSystem,
    check_engines,
    read_sentences,
    sorted_batches,
)
from scripts.benchmarks.timing import percentile, spread, take_turns, times_as_fast
from support.bundles import SOURCES, TARGETS, tiny_bundle
from support.plain import PLAIN


class Scripted:
    """A system that takes seconds from a list and repeats each source without its last tokens."""

    def __init__(self, name: str, *seconds: float, dropped: int = 1) -> None:
        self.name, self.precision, self.dropped = name, "fp32", dropped
        self.left = list(seconds)
        self.asked: list[tuple[int, int]] = []

    def translate(self, batches: Any, search: SearchConfig) -> Outcome:
        self.asked.append((len(batches), search.beam_size))
        outputs = [
            list(source[: len(source) - self.dropped]) for batch in batches for source in batch
        ]
        return Outcome(self.left.pop(0), outputs)


def test_all_take_their_turn_before_any_has_its_next() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = take_turns({"a": lambda: measure("a"), "b": lambda: measure("b")}, rounds=2)

    assert order == ["a", "b", "a", "b"]
    assert found == {"a": [1, 3], "b": [2, 4]}


def test_a_spread_has_median_least_and_most() -> None:
    assert spread([4, 1, 2]) == {"median": 2, "low": 1, "high": 4}


def test_ratios_are_taken_within_a_round() -> None:
    # 3, 2 and 4 times as fast; the medians of the seconds, 2 and 6, would give the same by chance
    # only if no round were slow for both.
    assert times_as_fast([1, 10, 2], [3, 20, 8]) == 3


def test_percentiles_are_values_that_occurred() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert percentile(values, 0.5) == 3
    assert percentile(values, 0.95) == 5
    assert percentile(values, 0.2) == 1
    assert percentile(values, 0.0) == 1


def test_pressure_is_read_from_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    file.write_text(
        "some avg10=2.50 avg60=0.42 avg300=2.65 total=9027186232\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    assert cpu_pressure(file) == 2.5
    assert cpu_pressure(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("before", "after", "warned"),
    [(0.0, 2.0, False), (0.0, 2.5, True), (3.0, 0.0, True), (None, None, False)],
)
def test_a_busy_machine_is_told(before: float | None, after: float | None, warned: bool) -> None:
    said = warning({"cpu_pressure": {"before": before, "after": after}})
    assert (said is not None) == warned
    if said is not None:
        assert f"{max(before or 0, after or 0):g} %" in said


def test_the_products_of_a_plain_model_are_counted() -> None:
    config = ModelConfig(**PLAIN)
    # Two layers a side of 4 gates of 8 units over 8 inputs and 8 states; 20 pieces of 8 numbers.
    assert work_of(config, 20, folded=False) == (2 * 4 * 8 * 16, 2 * 4 * 8 * 16 + 20 * 8)
    # The first layer's inputs are known beforehand, a row for each piece.
    folded = 4 * 8 * 8 + 4 * 8 * 16
    assert work_of(config, 20, folded=True) == (folded, folded + 20 * 8)


def test_the_products_of_both_directions_context_and_readout_are_counted() -> None:
    config = ModelConfig(
        embedding_size=2,
        encoder_hidden_size=3,
        encoder_layers=2,
        decoder_hidden_size=5,
        decoder_layers=1,
        context_size=7,
    )
    source = 2 * 4 * 3 * (2 + 3) + 2 * 4 * 3 * (6 + 3)
    target = 4 * 5 * (2 + 7 + 5) + 2 * (5 + 7 + 2) + 11 * 2
    assert work_of(config, 11, folded=False) == (source, target)
    source, target = 2 * 4 * 3 * 3 + 2 * 4 * 3 * (6 + 3), 4 * 5 * 5 + 2 * 5 + 11 * 2
    assert work_of(config, 11, folded=True) == (source, target)


def test_a_share_of_the_limit_is_taken_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHAPES", ((2, 4, 8),))
    found = Limits()
    found.gflops["bf16"] = [10, 100, 40]
    assert found.share("bf16", [5, 20, 10]) == 0.25
    assert found.median("bf16") == 40


def test_limits_are_measured_in_every_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHAPES", ((32, 64, 32),))
    found = Limits()
    assert found.measure() > 0
    assert {name: len(rates) for name, rates in found.gflops.items()} == {
        "fp32": 1,
        "bf16": 1,
        "int8": 1,
    }
    assert all(rates[0] > 0 for rates in found.gflops.values())


def test_batches_are_sorted_and_every_sentence_is_found_again() -> None:
    sentences = [[1], [1, 2, 3], [4, 5], [6, 7, 8]]
    batches, places = sorted_batches(sentences, 3)
    assert batches == [[[1, 2, 3], [6, 7, 8], [4, 5]], [[1]]]
    flat = [sentence for batch in batches for sentence in batch]
    assert [flat[place] for place in places] == sentences


def test_a_blank_line_is_refused_by_its_number(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("Guten Morgen.\n\nGute Nacht!\n")
    tokenizer = tiny_bundle().tokenizers.source
    with pytest.raises(InputError, match="line 2 is blank"):
        read_sentences(text, tokenizer, None)
    assert len(read_sentences(text, tokenizer, 1)) == 1
    text.write_text("")
    with pytest.raises(InputError, match="no lines"):
        read_sentences(text, tokenizer, None)


def test_engines_are_known_by_name() -> None:
    assert check_engines(None) == ["fp32", "int8", "bf16"]
    assert check_engines(["bf16"]) == ["bf16"]
    with pytest.raises(ConfigError, match="--engine int4: one of fp32, int8, bf16"):
        check_engines(["int4"])


def test_the_bare_loop_writes_what_the_reference_writes() -> None:
    bundle = tiny_bundle(**PLAIN)
    batches, _ = sorted_batches(bundle.tokenizers.source.encode(SOURCES), 1)
    search = SearchConfig(beam_size=1)
    reference = OwnSystem.load(bundle, "fp32", 1).translate(batches, search).outputs
    bare = BareSystem(BareModel.of(bundle)).translate(batches, search).outputs
    # Only the reference knows that padding, begin and unknown may not be written.
    sound = [number for number, output in enumerate(bare) if min(output, default=END) >= END]
    assert [bare[number] for number in sound] == [reference[number] for number in sound]
    assert len({tuple(bare[number]) for number in sound}) > len(SOURCES) // 2


def test_the_bare_loop_writes_the_same_in_a_batch() -> None:
    bundle = tiny_bundle(**PLAIN)
    (batch,), _ = sorted_batches(bundle.tokenizers.source.encode(SOURCES), len(SOURCES))
    model = BareModel.of(bundle)
    alone = [model.translate([source], 20)[0] for source in batch]
    assert model.translate(batch, 20) == alone


def test_the_bare_loss_is_the_models() -> None:
    bundle = tiny_bundle(**PLAIN, layer_dropout=0.0, embedding_dropout=0.0, output_dropout=0.0)
    bare = BareModel.of(bundle)
    bare.label_smoothing = 0.0
    sources = bundle.tokenizers.source.encode(SOURCES[:2])
    targets = bundle.tokenizers.target.encode(TARGETS[:2])
    model, total = load_model(bundle).eval(), 0.0
    for source, target in zip(sources, targets, strict=True):
        length = torch.tensor([len(source) + 1])
        readouts = model(torch.tensor([[*source, END]]), length, torch.tensor([[BEGIN, *target]]))
        logs = model.logits(readouts).log_softmax(dim=-1)[:, 0]
        total -= logs[range(len(logs)), [*target, END]].sum().item()
    positions = sum(len(target) + 1 for target in targets)
    assert bare.loss(sources, targets).item() == pytest.approx(total / positions, abs=1e-4)


def test_a_model_that_others_do_not_have_is_refused_by_option() -> None:
    with pytest.raises(BundleError, match=r"model\.bidirectional = True"):
        plain_weights(tiny_bundle())


@pytest.mark.parametrize("against", ["joeynmt", "marian=DIR", "opennmt="])
def test_an_unknown_peer_is_refused_with_those_known(against: str) -> None:
    with (
        pytest.raises(ConfigError, match="known are joeynmt=DIR, opennmt=DIR"),
        start_peer(against, tiny_bundle(**PLAIN)),
    ):
        pass


def test_an_environment_without_python_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="there is no"),
        start_peer(f"opennmt={tmp_path}", tiny_bundle(**PLAIN)),
    ):
        pass


def test_decoding_is_compared_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHAPES", ((2, 4, 8),))
    sentences = [[5, 6, 7], [8, 9], [10, 11, 12, 13]]
    reference, other = Scripted("fp32", 9, 1, 2), Scripted("other", 9, 2, 8, dropped=2)
    task = Task(sentences, None, batch_size=2, beams=[5], rounds=2)

    record = measure_decoding([reference, other], tiny_bundle(), task)

    assert reference.asked == [(1, 5), (2, 5), (2, 5)]  # the first is not measured
    mine, its = record["systems"]
    assert mine["sentences_per_s"] == {"median": 2.25, "low": 1.5, "high": 3}
    assert mine["tokens_per_s"] == {"median": 4.5, "low": 3, "high": 6}
    assert mine["times_as_fast"] == {"fp32": 1, "other": 3}
    assert its["times_as_fast"] == {"fp32": pytest.approx(3 / 8), "other": 1}
    assert (mine["length_ratio"], mine["equal_outputs"]) == (1, 1)
    assert (its["length_ratio"], its["equal_outputs"]) == (3 / 6, 0)
    header, rows = decoding_table(record)
    assert all(len(row) == len(header) for row in rows)
    assert rows[0][:4] == ["fp32", "5", "2.2", "1.5"]


def test_decoding_is_held_to_the_products_of_its_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_gflops(self: Limits) -> float:
        for rates in self.gflops.values():
            rates.append(1.0)
        return 0.0

    monkeypatch.setattr(limits, "SHAPES", ((2, 4, 8),))
    monkeypatch.setattr(Limits, "measure", one_gflops)
    task = Task([[5, 6, 7], [8, 9]], None, batch_size=2, beams=[5], rounds=1)

    record = measure_decoding([Scripted("fp32", 9, 0.5)], tiny_bundle(), task)

    # Five source tokens and three written ones, and an end token for each of the two sentences.
    work = record["multiply_adds"]
    products = 7 * work["source"] + 5 * 5 * work["target"]
    assert record["systems"][0]["share_of_limit"] == pytest.approx(2e-9 * products / 0.5)


def test_outputs_are_scored_beside_their_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHAPES", ((2, 4, 8),))
    bundle = tiny_bundle()
    sentences = bundle.tokenizers.target.encode(TARGETS)
    task = Task(sentences, TARGETS, batch_size=5, beams=[1], rounds=1)

    record = measure_decoding([Scripted("fp32", 9, 1, dropped=0)], bundle, task)

    # Longest first is not their order in the text.
    assert record["systems"][0]["bleu"] == pytest.approx(100)


def test_latencies_are_percentiles_over_all_sentences() -> None:
    # The first call prepares; then three sentences, each in two rounds.
    fast = Scripted("fp32", 9, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06)
    slow = Scripted("other", 9, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06)
    rows = measure_latency([fast, slow], [[5], [6], [7]], SearchConfig(), rounds=2)
    assert rows[0]["p50_ms"] == pytest.approx(30)
    assert rows[0]["p95_ms"] == pytest.approx(60)
    assert rows[0]["times_as_fast"]["other"] == pytest.approx(2)
    cold = [{"system": "fp32", "seconds": {"median": 1.5}}]
    header, table = latency_table({"systems": rows, "cold_start": cold})
    assert header[0] == "system"
    assert [row[-1] for row in table] == ["1.50", "-"]


def test_memory_grows_from_the_fewest_lines_to_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []

    def peak(arguments: list[str]) -> int:
        texts.append(Path(arguments[-1]).read_text())
        return 100_000_000 + len(texts[-1]) * 1_000_000

    monkeypatch.setattr("scripts.benchmarks.memory._peak", peak)
    rows = measure_memory({"int8": ["--engine=int8"]}, ["a", "b"], [1, 3])
    assert texts == ["a\n", "a\nb\na\n"]  # the text starts again where it is too short
    assert rows == [{"system": "int8", "peak_mb": {"1": 102, "3": 106}, "growth_mb": 4}]


def test_memory_of_another_program_has_no_growth() -> None:
    rows = [
        {"system": "int8", "peak_mb": {"10": 100.4, "20": 101.5}, "growth_mb": 1.1},
        {"system": "other", "peak_mb": {"10": 480.0}, "growth_mb": None},
    ]
    header, table = memory_table({"systems": rows})
    assert header == ["system", "MB, 10 lines", "MB, 20 lines", "growth MB"]
    assert table == [["int8", "100", "102", "1.1"], ["other", "480", "-", "-"]]


def test_a_start_is_told_by_stage_and_memory_in_megabytes() -> None:
    def answer(*ends: float) -> dict[str, Any]:
        return {
            "pairs": 1000,
            "seconds": dict(zip(("imports", "run_open", "first_update"), ends, strict=True)),
            "bytes": {"anonymous": 400e6, "peak_anonymous": 450e6, "mapped": 70e6},
            "parameters": 2_000_000,
        }

    row = _row([answer(1, 3, 3.5), answer(1, 2, 4), answer(2, 7, 8)])
    assert row["pairs"] == 1000
    assert row["start_s"] == {"median": 4, "low": 3.5, "high": 8}
    assert row["stages_s"] == {"imports": 1, "run_open": 2, "first_update": 1}
    assert (row["anonymous_mb"], row["peak_anonymous_mb"], row["mapped_mb"]) == (400, 450, 70)
    assert row["model_mb"] == 32  # weights, gradients and two averages of four bytes each

    header, table = starts_table({"systems": [{**row, "beyond_mb": 7.4}]})
    assert len(header) == len(table[0])
    assert dict(zip(header, table[0], strict=True)) == {
        **{"pairs": "1,000", "start s": "4.00", "low": "3.50", "high": "8.00"},
        **{"imports s": "1.00", "run_open s": "2.00", "first_update s": "1.00"},
        **{"anonymous MB": "400", "at most": "450", "beyond": "7"},
        **{"mapped MB": "70", "model MB": "32"},
    }


def test_preparation_has_a_line_for_each_number_of_processes() -> None:
    rates = {"median": 12_000.4, "low": 11_000, "high": 13_000}
    header, table = preparation_table({"preparation": [{"workers": 2, "pairs_per_s": rates}]})
    assert header == ["processes", "pairs/s", "low", "high"]
    assert table == [["2", "12,000", "11,000", "13,000"]]
