"""Ensembles: the mean on tables of a few tokens, the rest on tiny models that share tokenizers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt.bundle import Bundle, save_bundle
from mt.card import model_card
from mt.engine import load_engine
from mt.ensemble import EnsembleEngine, check_alike, joint_identity
from mt.errors import BundleError
from mt.search import search
from mt.system.files import sha256
from mt.translator import Translator
from support.bundles import SOURCES, tiny_bundle
from support.scorers import Prefix, Table, TableScorer, TableState, written

A, B = 1, 2


class TableEngine(TableScorer):
    """A table, whatever the source."""

    name = "table"

    def __init__(self, table: Table) -> None:
        super().__init__([])
        self.table = table

    def start(self, sources: Sequence[Sequence[int]] = ((),), *, shortlist: int = 0) -> TableState:
        self.tables = [self.table] * len(sources)
        return super().start()


def step(*rows: Sequence[float]) -> np.ndarray:
    """Probabilities of the first token under an ensemble of tables that say these."""
    ensemble = EnsembleEngine([TableEngine(written({(): row})) for row in rows])
    values, _ = ensemble.step(np.array([99]), ensemble.start([()]))
    return np.exp(values[0])


def test_the_mean_is_geometric_and_sums_to_one() -> None:
    # Square roots of 0.9 * 0.5 and 0.1 * 0.5 stand as 3 to 1.
    assert step([0.0, 0.9, 0.1], [0.0, 0.5, 0.5]) == pytest.approx([0.0, 0.75, 0.25])
    # Cube roots of 0.5 * 0.8 * 0.2 and of 0.5 * 0.2 * 0.8.
    assert step([0, 0.5, 0.5], [0, 0.8, 0.2], [0, 0.2, 0.8]) == pytest.approx([0, 0.5, 0.5])


def test_one_member_is_that_member() -> None:
    assert step([0.2, 0.5, 0.3]) == pytest.approx([0.2, 0.5, 0.3])


def test_what_one_member_never_writes_the_ensemble_never_writes() -> None:
    assert step([0.2, 0.8, 0.0], [0.2, 0.2, 0.6]) == pytest.approx([1 / 3, 2 / 3, 0.0])


def test_members_that_disagree_about_everything_still_sum_to_one() -> None:
    far = -2000.0

    def one(prefix: Prefix) -> np.ndarray:
        return np.array([far, 0.0, far])

    def other(prefix: Prefix) -> np.ndarray:
        return np.array([far, far, 0.0])

    ensemble = EnsembleEngine([TableEngine(one), TableEngine(other)])
    values, _ = ensemble.step(np.array([99]), ensemble.start([()]))
    assert np.exp(values[0]) == pytest.approx([0.0, 0.5, 0.5])


def test_every_member_is_asked_for_its_shortlist() -> None:
    asked: list[int] = []

    class Listing(TableEngine):
        def start(self, sources: Any, *, shortlist: int = 0) -> Any:
            asked.append(shortlist)
            return super().start(sources, shortlist=shortlist)

    members = [Listing(written({(): [1.0, 0.0, 0.0]})) for _ in range(2)]
    EnsembleEngine(members).start([()], shortlist=7)
    assert asked == [7, 7]


def test_every_member_follows_the_tokens_written() -> None:
    # The first says A, the second B; after A they agree on B, after B on A.
    one = written({(): [0.0, 0.8, 0.2], (A,): [0.0, 0.1, 0.9], (B,): [0.0, 0.9, 0.1]})
    other = written({(): [0.0, 0.4, 0.6], (A,): [0.5, 0.0, 0.5], (B,): [0.5, 0.5, 0.0]})
    ensemble = EnsembleEngine([TableEngine(one), TableEngine(other)])
    ((best,),) = search(ensemble, ensemble.start([()]), np.array([5]), beam_size=2, alpha=0.0)
    assert best.tokens == (A, B)
    first = math.sqrt(0.8 * 0.4) / (math.sqrt(0.8 * 0.4) + math.sqrt(0.2 * 0.6))
    assert math.exp(best.log_probability) == pytest.approx(first * 1.0)


def test_rows_of_a_state_are_picked_in_every_member() -> None:
    engine = load_engine(tiny_bundle())
    ensemble = EnsembleEngine([engine, load_engine(OTHER)])
    state = ensemble.start([[5, 6], [7], [8, 9, 10]])
    previous, rows = np.array([2, 2, 2]), np.array([2, 0, 0])
    expected, _ = ensemble.step(previous, state)
    found, _ = ensemble.step(previous, state.select(rows))
    np.testing.assert_allclose(found, expected[rows], rtol=0, atol=1e-5)


# Bundles

OTHER = tiny_bundle(context_size=7)  # other weights, the same tokenizers


def changed(bundle: Bundle, **config: Any) -> Bundle:
    return dataclasses.replace(bundle, config=bundle.config.model_copy(update=config))


def store(folder: Path, bundle: Bundle) -> Path:
    save_bundle(folder, bundle, model_card(bundle))
    return folder


def test_bundles_of_one_task_and_vocabulary_go_together() -> None:
    check_alike(["one", "other"], [tiny_bundle(), OTHER])


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (changed(OTHER, source_language="nl"), "differ in their source language, de and nl"),
        (changed(OTHER, target_language="fr"), "differ in their target language, en and fr"),
        (tiny_bundle(joint=True), "differ in their source tokenizer, SHA-256 "),
        (
            dataclasses.replace(
                OTHER,
                tokenizers=OTHER.tokenizers._replace(target=tiny_bundle(joint=True).tokenizers[1]),
            ),
            "differ in their target tokenizer, SHA-256 ",
        ),
    ],
)
def test_bundles_that_do_not_go_together_are_told_by_name(other: Bundle, what: str) -> None:
    with pytest.raises(BundleError) as caught:
        check_alike(["first", "second", "third"], [tiny_bundle(), OTHER, other])
    assert str(caught.value).startswith(f"first and third cannot be an ensemble: they {what}")


def test_the_identity_is_made_of_the_members_own() -> None:
    assert joint_identity(["3f", "0c"]) == sha256(b"3f0c")
    assert joint_identity(["0c", "3f"]) != joint_identity(["3f", "0c"])
    assert joint_identity(["", ""]) == ""


def test_a_model_twice_translates_as_it_does_alone(tmp_path: Path) -> None:
    folder = store(tmp_path / "one", tiny_bundle())
    alone, twice = Translator.load(folder), Translator.load_ensemble([folder, str(folder)])
    assert twice.name == "tiny-de-en + tiny-de-en"
    assert twice.engine == "ensemble of int8 + int8"
    assert twice.identity == sha256(2 * alone.identity.encode())
    assert twice.search_config == alone.search_config
    assert (twice.source_language, twice.target_language) == ("de", "en")
    for one, other in zip(alone.translate(SOURCES), twice.translate(SOURCES), strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, rel=1e-4)


def test_two_models_translate_as_neither_does(tmp_path: Path) -> None:
    folders = [store(tmp_path / "one", tiny_bundle()), store(tmp_path / "other", OTHER)]
    both = [t.text for t in Translator.load_ensemble(folders).translate(SOURCES)]
    for folder in folders:
        assert [t.text for t in Translator.load(folder).translate(SOURCES)] != both


def test_folders_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    folders = [store(tmp_path / "one", OTHER), store(tmp_path / "two", tiny_bundle(joint=True))]
    with pytest.raises(BundleError, match=r"one and .*two cannot be an ensemble"):
        Translator.load_ensemble(folders)
