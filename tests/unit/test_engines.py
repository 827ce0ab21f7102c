"""Engines by their names: which there are, what they refuse, and that they say the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mt.engine.int8
import mt.engine.load
import mt.parameters
from mt.engine import ENGINES, load_engine
from mt.engine.load import EngineName
from mt.errors import BundleError, ConfigError
from mt.tokens import BEGIN
from mt.translator import Translator
from support.bundles import tiny_bundle

TEXTS = ["ja", "ein Hund", "", "ja sehr ja"]


@pytest.mark.parametrize("name", [name for name in ENGINES if name not in ("auto", "cuda")])
def test_an_engine_says_its_name_and_what_it_runs_on(name: EngineName) -> None:
    engine = load_engine(tiny_bundle(), name)
    assert engine.name == name
    assert engine.environment.keys() == (
        {"onnxruntime"} if name == "int8" else {"torch", "threads"}
    )


def test_without_a_gpu_integers_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mt.engine.load, "_cuda", lambda: False)
    assert load_engine(tiny_bundle()).name == "int8"


def test_a_driver_without_a_gpu_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(mt.engine.load, "_NVIDIA_DRIVER", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert load_engine(tiny_bundle()).name == "int8"
    with pytest.raises(ConfigError, match="no CUDA GPU is available"):
        load_engine(tiny_bundle(), "cuda")


def test_an_unknown_engine_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'int4': one of auto, int8, fp32, bf16, cuda"):
        load_engine(tiny_bundle(), "int4")  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["int8", "fp32"])
def test_weights_that_do_not_fit_are_refused_by_name(engine: EngineName) -> None:
    bundle = tiny_bundle()
    without = {k: v for k, v in bundle.weights.items() if k != "output_bias"}
    with pytest.raises(BundleError, match="output_bias has shape none, expected"):
        load_engine(replace(bundle, weights=without), engine)
    with pytest.raises(BundleError, match=r"stray has shape \(2,\), expected none"):
        load_engine(replace(bundle, weights={**bundle.weights, "stray": np.zeros(2)}), engine)


@pytest.mark.parametrize("engine", ["int8", "fp32"])
def test_weights_that_are_no_numbers_are_refused(engine: EngineName) -> None:
    bundle = tiny_bundle()
    broken = {**bundle.weights, "output_bias": bundle.weights["output_bias"] * np.nan}
    with pytest.raises(BundleError, match="output_bias holds a number that is not finite"):
        load_engine(replace(bundle, weights=broken), engine)


@pytest.mark.parametrize("engine", ["int8", "fp32"])
def test_weights_are_refused_before_a_model_as_large_as_the_configuration_says_is_made(
    engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle()
    huge = bundle.config.model.model_copy(update={"encoder_hidden_size": 8192})
    monkeypatch.setattr(mt.parameters, "make_model", lambda *_: pytest.fail("made"))
    with pytest.raises(BundleError, match="do not fit the configuration"):
        load_engine(
            replace(bundle, config=bundle.config.model_copy(update={"model": huge})), engine
        )


def test_weights_beyond_the_tables_of_the_integer_engine_are_refused() -> None:
    bundle = tiny_bundle()
    large = {name: np.full_like(array, 6e4) for name, array in bundle.weights.items()}
    with pytest.raises(BundleError, match="the weights give sums beyond 65,504"):
        load_engine(replace(bundle, weights=large), "int8")


@pytest.mark.parametrize(
    ("variant", "near"),
    [
        ({}, 0.3),
        ({"peepholes": True}, 0.3),
        ({"coupled_gates": True}, 0.3),
        ({"layer_norm": True}, 1.0),
        ({"output_tanh": False}, 1.0),
    ],
    ids=str,
)
def test_half_the_precision_says_nearly_the_same(variant: dict[str, Any], near: float) -> None:
    bundle = tiny_bundle(**variant)
    found = {}
    for name in ("fp32", "bf16", "int8"):
        engine = load_engine(bundle, name)  # type: ignore[arg-type]
        scores, state = engine.step(np.full(2, engine.begin), engine.start([[4, 5], [6]]))
        again, _ = engine.step(np.array([7, 8]), state.select(np.array([1, 0])))
        found[name] = np.concatenate([scores, again])
    for name in ("bf16", "int8"):
        known = np.isfinite(found["fp32"])
        np.testing.assert_array_equal(np.isfinite(found[name]), known)
        np.testing.assert_allclose(found[name][known], found["fp32"][known], rtol=0.05, atol=near)


def test_translators_of_all_engines_keep_every_line() -> None:
    for name in ("fp32", "bf16", "int8"):
        translator = Translator.from_bundle(tiny_bundle(), engine=name)  # type: ignore[arg-type]
        assert len(translator.translate(TEXTS)) == len(TEXTS)


def test_a_graph_is_made_ready_once_however_many_threads_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = load_engine(tiny_bundle(), "int8")
    make, made, second_comes = mt.engine.int8._session, list[bytes](), threading.Event()

    def slow(graph: bytes, threads: int) -> Any:
        made.append(graph)
        second_comes.wait(1)  # as long as a second thread that is not held off needs to get here
        return make(graph, threads)

    monkeypatch.setattr("mt.engine.int8._session", slow)

    def step(_: int) -> Any:
        state = engine.start([[4, 5]])
        if made:
            second_comes.set()
        return engine.step(np.array([BEGIN]), state)[0]

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(step, range(2))
    assert len(made) == 1
    np.testing.assert_array_equal(one, other)
