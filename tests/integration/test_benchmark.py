"""mt-benchmark: that it measures what it says; how fast anything is, no test asks."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.benchmarks.cell import measure_cells
from support.bundles import save_tiny_bundle
from support.commands import run


def test_the_record_compares_the_server_with_the_library(tmp_path: Path) -> None:
    model = save_tiny_bundle(tmp_path / "model")

    result = run("benchmark", "service", "--model", model, "--concurrent", "3", "--rounds", "1")

    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert (record["requests"], record["rounds"]) == (3, 1)
    assert record["in_turn_s"] > 0
    assert record["at_once_s"] > 0
    difference = record["lone_request_ms"] - record["library_call_ms"]
    assert abs(record["service_costs_ms"] - difference) < 0.02


def test_every_option_of_the_cell_is_measured_against_the_fused_path() -> None:
    found = measure_cells(rounds=1, hidden=8)
    assert found["fused"] == 1.0
    assert set(found) > {"weight_drop", "output_tanh off", "coupled_gates", "peepholes"}
    assert all(ratio > 0 for ratio in found.values())
