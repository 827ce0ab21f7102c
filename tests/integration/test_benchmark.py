"""mt-benchmark: that it measures what it says; how fast anything is, no test asks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mt.bundle import save_bundle
from mt.card import model_card
from scripts.benchmarks.cell import measure_cells
from scripts.benchmarks.server import processes_of, running
from support.bundles import SOURCES, TARGETS, save_tiny_bundle, tiny_bundle
from support.commands import assert_mistake, call, run
from support.plain import PLAIN

PEERS = os.environ.get("BENCHMARK_PEERS")
"""Folder of the environments joeynmt and opennmt; scripts/README.md says how to make them."""


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's limit is measured by products that take no time."""
    monkeypatch.setattr("scripts.benchmarks.limits.SHAPES", ((256, 256, 256),))


def test_the_record_compares_the_server_with_the_library(tmp_path: Path) -> None:
    model = save_tiny_bundle(tmp_path / "model")

    few = ("--rounds", "1", "--seconds", "0.1", "--sentences", "20", "--workers", "1")
    result = run("benchmark", "service", "--model", model, "--concurrent", "3", *few)

    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert (record["requests"], record["rounds"]) == (3, 1)
    assert record["in_turn_s"] > 0
    assert record["at_once_s"] > 0
    difference = record["lone_request_ms"] - record["library_call_ms"]
    assert abs(record["service_costs_ms"] - difference) < 0.02
    assert [row["clients"] for row in record["clients"]] == [1, 8, 32]
    for row in record["clients"]:
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        ratio = row["per_s"]["median"] / record["library_per_s"]["median"]
        assert row["to_library"] == pytest.approx(ratio)
        assert row["outcomes"].keys() == {"200"}
    held = record["clients"][-1]["to_library"] >= 0.7
    assert [bar["held"] for bar in record["bars"]] == [held]


def test_an_overload_and_a_soak_are_of_the_server_that_is_there(tmp_path: Path) -> None:
    save_tiny_bundle(tmp_path / "model")
    (tmp_path / "text").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    first, last = (end(os.sched_getaffinity(0)) for end in (min, max))
    arguments = [f"--model={tmp_path / 'model'}"]
    with running(None, arguments, workers=1, cpus={first}) as server:
        assert server.pid is not None
        assert all(os.sched_getaffinity(pid) == {first} for pid in processes_of(server.pid))
        common = ("--model", "model", "--source", "text", "--url", server.url, "--json")

        short = ("--times", "2", "--seconds", "0.6", "--client-cpus", str(last))
        flooded = call("benchmark", "overload", *common, *short, folder=tmp_path)
        assert os.sched_getaffinity(0) >= {first, last}

        few = ("--requests", "60", "--warm-up", "5", "--pid", str(server.pid))
        soaked = call("benchmark", "soak", *common, *few, folder=tmp_path)

    assert flooded.returncode == 0, flooded.stderr.decode()
    record = json.loads(flooded.stdout)
    assert (record["benchmark"], record["model"]) == ("overload", "tiny-de-en")
    assert record["client_cpus"] == [last]
    assert len(record["bars"]) == 5
    assert record["peak_per_s"] > 0
    assert sum(record["shares"].values()) == pytest.approx(1)

    assert soaked.returncode == 0, soaked.stderr.decode()
    record = json.loads(soaked.stdout)
    assert sum(sum(found.values()) for found in record["kinds"].values()) == 60
    assert record["unexpected"] == 0, record["kinds"]
    # A server is more than Python, and each look finds it.
    assert all(found > 50 for found in record["resident_mb"])


def test_a_killed_worker_and_a_server_told_to_leave_are_printed_beside_their_bars(
    tmp_path: Path,
) -> None:
    save_tiny_bundle(tmp_path / "model")
    few = ("--seconds", "0.2", "--clients", "4", "--workers", "1")
    result = call("benchmark", "failure", "--model", "model", *few, folder=tmp_path)
    assert result.returncode == 0, result.stderr.decode()
    lines = result.stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        *("kill -9, in flight", "kill -9, afterwards"),
        *("SIGTERM, in flight", "SIGTERM, afterwards"),
    ]
    assert len(lines) == 5 + 2 + 7


def test_options_of_the_service_that_cannot_be_are_refused(tmp_path: Path) -> None:
    refused = call("benchmark", "overload", "--server-cpus", "100000")
    assert_mistake(refused, "--server-cpus 100000", "may use")
    refused = call("benchmark", "service", "--url", "https://localhost")
    assert_mistake(refused, "--url https://localhost", "http://HOST:PORT")
    refused = call("benchmark", "soak", "--url", "http://localhost:1")
    assert_mistake(refused, "--url", "--pid")
    (tmp_path / "text").write_text("\n")
    refused = call("benchmark", "failure", "--source", "text", folder=tmp_path)
    assert_mistake(refused, "--source text", "no sentence")


def test_a_server_that_does_not_start_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny_bundle(tmp_path / "model")
    monkeypatch.setenv("MT_CHAR_LIMIT", "none")
    refused = call("benchmark", "overload", "--model", "model", folder=tmp_path)
    assert_mistake(refused, "the server did not start", "MT_CHAR_LIMIT")


def test_every_option_of_the_cell_is_measured_against_the_fused_path() -> None:
    found = measure_cells(rounds=1, hidden=8)
    assert found["fused"] == 1.0
    assert set(found) > {"weight_drop", "output_tanh off", "coupled_gates", "peepholes"}
    assert all(ratio > 0 for ratio in found.values())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder with a tiny model that other programs could have, and text for it."""
    bundle = tiny_bundle(**PLAIN)
    save_bundle(tmp_path / "plain", bundle, model_card(bundle))
    (tmp_path / "text.de").write_text("".join(f"{line}\n" for line in SOURCES), encoding="utf-8")
    (tmp_path / "text.en").write_text("".join(f"{line}\n" for line in TARGETS), encoding="utf-8")
    return tmp_path


def _json(*arguments: str | Path, folder: Path) -> dict[str, Any]:
    result = call("benchmark", *arguments, "--model", "plain", "--json", folder=folder)
    assert result.returncode == 0, result.stderr.decode()
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def test_decoding_compares_engines_and_the_bare_loop(plain: Path) -> None:
    text = ("--source", "text.de", "--reference", "text.en", "--rounds", "1")
    record = _json("decode", *text, folder=plain)
    rows = {(row["system"], row["beam_size"]): row for row in record["systems"]}
    assert set(rows) == {
        *((name, 1) for name in ("fp32", "int8", "bf16", "bare torch")),
        *((name, 5) for name in ("fp32", "int8", "bf16")),
    }
    assert (record["benchmark"], record["sentences"], record["rounds"]) == ("decode", 24, 1)
    assert record["machine"]["threads"] == 1
    assert rows["fp32", 1]["equal_outputs"] == 1
    assert rows["fp32", 1]["times_as_fast"]["fp32"] == 1
    for row in rows.values():
        assert row["sentences_per_s"]["median"] > 0
        assert 0 < row["share_of_limit"] < 1
        assert row["signature"].startswith("nrefs:1")


def test_texts_that_do_not_suit_are_refused_before_anything_is_measured(plain: Path) -> None:
    (plain / "short.en").write_text("a\n")
    (plain / "empty.de").write_text("")
    text = ("--model", "plain", "--source", "text.de", "--reference", "short.en")
    result = call("benchmark", "decode", *text, folder=plain)
    assert_mistake(result, "text.de has 24 lines and short.en 1: line 2 has no counterpart")
    text = ("--model", "plain", "--source", "empty.de")
    result = call("benchmark", "memory", *text, folder=plain)
    assert_mistake(result, "empty.de: no lines")


def test_the_table_has_a_line_for_each_system_and_beam(plain: Path) -> None:
    arguments = ("--model", "plain", "--source", "text.de", "--beam-size", "2", "--rounds", "1")
    result = call("benchmark", "decode", *arguments, "--sentences", "3", folder=plain)
    assert result.returncode == 0, result.stderr.decode()
    lines = result.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["system", "fp32", "int8", "bf16"]


def test_a_model_of_ours_alone_is_measured_without_the_bare_loop(tmp_path: Path) -> None:
    save_tiny_bundle(tmp_path / "model")
    (tmp_path / "text").write_text("Guten Morgen.\n")
    arguments = ("--model", "model", "--source", "text", "--rounds", "1", "--beam-size", "1")
    result = call("benchmark", "decode", *arguments, folder=tmp_path)
    assert result.returncode == 0
    assert b"without the bare torch loop: model.bidirectional = True" in result.stderr
    assert b"bare torch" not in result.stdout
    refused = call("benchmark", "decode", *arguments, "--against", "opennmt=x", folder=tmp_path)
    assert_mistake(refused, "opennmt=x", "there is no")


def test_training_compares_precisions_and_the_bare_loop(plain: Path) -> None:
    text = ("--source", "text.de", "--target", "text.en", "--batch-tokens", "60")
    record = _json("train", *text, "--rounds", "2", "--updates", "2", folder=plain)
    assert [row["system"] for row in record["systems"]] == [
        "fp32",
        "bf16",
        "bare torch fp32",
        "bare torch bf16",
    ]
    assert all(row["tokens_per_s"]["low"] > 0 for row in record["systems"])


def test_latency_has_a_cold_start_for_each_engine(plain: Path) -> None:
    few = ("--source", "text.de", "--sentences", "2", "--rounds", "1", "--engine", "int8")
    record = _json("latency", *few, folder=plain)
    assert [row["system"] for row in record["systems"]] == ["fp32", "int8"]
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in record["systems"])
    assert [row["system"] for row in record["cold_start"]] == ["fp32", "int8"]
    assert all(row["seconds"]["median"] > 0.05 for row in record["cold_start"])


def test_memory_is_that_of_the_program(plain: Path) -> None:
    few = ("--source", "text.de", "--lines", "2", "--engine", "int8")
    record = _json("memory", *few, folder=plain)
    peaks = {row["system"]: row["peak_mb"] for row in record["systems"]}
    # torch alone takes more than the whole of the other engine.
    assert 30 < peaks["int8"]["2"] < peaks["fp32"]["2"]


def test_a_start_is_that_of_a_run_on_so_many_pairs(plain: Path) -> None:
    text = ("--source", "text.de", "--target", "text.en", "--rounds", "1")
    few = ("--pairs", "300000", "--pairs", "7", "--lines", "30", "--workers", "1")
    record = _json("scale", *text, *few, folder=plain)
    fewer, more = record["systems"]
    assert (fewer["pairs"], more["pairs"]) == (7, 300_000)
    for row in (fewer, more):
        assert row["anonymous_mb"] > row["model_mb"] > 0
        assert sum(row["stages_s"].values()) == pytest.approx(row["start_s"]["median"])
    # The order of an epoch alone takes eight bytes a pair.
    assert fewer["beyond_mb"] == 0
    assert more["beyond_mb"] > 2.4
    (prepared,) = record["preparation"]
    assert prepared["workers"] == 1
    assert prepared["pairs_per_s"]["low"] > 0


@pytest.mark.skipif(PEERS is None, reason="BENCHMARK_PEERS names no folder of other programs")
@pytest.mark.parametrize("peer", ["joeynmt", "opennmt"])
def test_other_programs_write_what_ours_does(peer: str, plain: Path) -> None:
    against = ("--against", f"{peer}={PEERS}/{peer}", "--rounds", "1")
    record = _json("decode", "--source", "text.de", "--beam-size", "1", *against, folder=plain)
    # What never ends is cut at the limit of its batch there, at its own here.
    assert record["systems"][-1]["equal_outputs"] > 0.4
    text = ("--source", "text.de", "--target", "text.en", "--batch-tokens", "60")
    record = _json("train", *text, *against, "--updates", "1", folder=plain)
    assert record["systems"][-1]["tokens_per_s"]["low"] > 0
