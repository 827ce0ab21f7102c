"""Choosing among candidates: expected utilities and sums worked out by hand, ties, what is kept.

Utilities are checked against sacreBLEU in tests/properties/test_reranking_properties.py; here they
are tables.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from mt.config import RerankConfig, SearchConfig
from mt.decoding import SearchTask, decode
from mt.engine import load_engine
from mt.errors import ConfigError
from mt.language_model import LanguageModel
from mt.likelihood import SCORED, UNKNOWN_CHARACTERS, PairScore
from mt.reranking import Fluency, Reranker, Rescored, tune
from mt.reranking.rescoring import IMPOSSIBLE, rescore, weights_of
from mt.reranking.risk import least_risk
from mt.reranking.utility import UTILITIES, pairwise_bleu, pairwise_chrf
from mt.search import Hypothesis
from mt.translator import Translator
from support.bundles import SOURCES, tiny_bundle, tiny_language_bundle, tiny_tokenizers

MBR = RerankConfig(mbr_beam=True)


def hypothesis(token: int, probability: float, *, finished: bool = True) -> Hypothesis:
    value = math.log(probability)
    return Hypothesis((token,), value, value, finished)


ONE, TWO, THREE = hypothesis(1, 0.5), hypothesis(2, 0.3), hypothesis(3, 0.2)


# Minimum Bayes risk


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Utilities by (candidate, other), in place of chrF."""
    values: dict[str, Any] = {}

    def utility(texts: Sequence[str]) -> Any:
        return np.array([[values.get(a + b, 0.0) for b in texts] for a in texts])

    monkeypatch.setitem(UTILITIES, "chrf", utility)
    return values


def chosen(
    candidates: Sequence[Hypothesis],
    texts: str,
    weights: Literal["uniform", "model"] = "uniform",
) -> list[int]:
    config = RerankConfig(mbr_beam=True, mbr_weights=weights)
    return [found.tokens[0] for found in least_risk(candidates, list(texts), config)]


def test_the_candidate_most_like_all_others_comes_first(table: dict[str, Any]) -> None:
    # Sums of rows: a 90 + 10 + 10 = 110, b 30 + 90 + 60 = 180, c 40 + 50 + 90 = 180 - 1.
    table |= {"aa": 90, "ab": 10, "ac": 10, "ba": 30, "bb": 90, "bc": 60, "ca": 40, "cb": 50}
    table["cc"] = 89
    assert chosen([ONE, TWO, THREE], "abc") == [2, 3, 1]
    table["cc"] = 91
    assert chosen([ONE, TWO, THREE], "abc") == [3, 2, 1]


def test_a_candidate_is_the_translation_and_the_others_its_references(
    table: dict[str, Any],
) -> None:
    table |= {"ab": 0, "ba": 10}
    assert chosen([ONE, TWO], "ab") == [2, 1]


def test_a_text_that_came_twice_counts_twice_and_is_there_once(table: dict[str, Any]) -> None:
    # a is like nothing but itself: alone 100 of 300, drawn three times 300 against 2 * 140.
    table |= {"aa": 100, "bb": 100, "cc": 100, "bc": 40, "cb": 39}
    assert chosen([ONE, TWO, THREE], "abc") == [2, 3, 1]
    assert chosen([ONE, ONE, TWO, THREE], "aabc") == [1, 2, 3]


def test_different_pieces_of_one_text_are_one_candidate_by_the_likelier(
    table: dict[str, Any],
) -> None:
    assert chosen([THREE, TWO, ONE], "aba") == [1, 2]


def test_a_candidate_may_weigh_by_its_probability(table: dict[str, Any]) -> None:
    # Uniform: b has (10 + 0 + 15) and a 20; by probability b has 0.5 * 10 + 0.2 * 15 = 8, a 10.
    table |= {"aa": 20, "ba": 10, "bc": 15}
    assert chosen([ONE, TWO, THREE], "abc")[0] == 2
    assert chosen([ONE, TWO, THREE], "abc", "model")[0] == 1


def test_what_was_drawn_twice_has_its_probability_once(table: dict[str, Any]) -> None:
    # c has .2 * 100 against .5 * 30 of a; with its probability twice, a's draws would win.
    table |= {"aa": 30, "cc": 100}
    assert chosen([ONE, ONE, THREE], "aac", "model") == [3, 1]


def test_equal_utilities_keep_the_order_of_the_model(table: dict[str, Any]) -> None:
    cut = hypothesis(4, 0.9, finished=False)
    assert chosen([THREE, cut, ONE, TWO], "cdab") == [1, 2, 3, 4]


def test_one_candidate_is_the_choice() -> None:
    assert least_risk([], [], MBR) == []
    assert least_risk([], [], RerankConfig(mbr_beam=True, mbr_weights="model")) == []
    assert least_risk([ONE], ["a dog"], MBR) == [ONE]
    assert least_risk([ONE], [""], MBR) == [ONE]


@pytest.mark.parametrize("name", ["chrf", "bleu"])
def test_the_middle_of_three_translations_is_chosen(name: Literal["chrf", "bleu"]) -> None:
    texts = ["the dog sat on the mat", "the dog sat on a mat", "the cat sat on a mat"]
    config = RerankConfig(mbr_beam=True, mbr_utility=name)
    assert least_risk([ONE, TWO, THREE], texts, config)[0] is TWO


def test_utilities_of_short_texts_can_be_worked_out() -> None:
    # "ab" against "abc": orders 1 and 2 are known to both. Precision 1, recall (2/3 + 1/2) / 2.
    recall = 7 / 12
    assert pairwise_chrf(["ab", "a b c"])[0, 1] == pytest.approx(100 * 5 * recall / (4 + recall))
    # One token of two is right, no pair is: sqrt(1/2 * (1 / 2) / 1); three against two are cut.
    assert pairwise_bleu(["a b", "a c"])[0, 1] == pytest.approx(50)
    assert pairwise_bleu(["a", "a c"])[0, 1] == pytest.approx(100 * math.exp(-1))
    assert pairwise_chrf(["", "a"]).tolist() == [[0, 0], [0, 100]]
    assert pairwise_bleu(["", "a"]).tolist() == [[0, 0], [0, 100]]


# Rescoring


class ListedScores:
    """A model that has a list of scores; the pair "?" is beyond it."""

    identity, engine = "3f", "list"

    def __init__(self, scores: dict[tuple[str, str], float]) -> None:
        self.scores = scores

    def with_length_penalty(self, alpha: float) -> ListedScores:
        return self

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[PairScore]:
        return [
            PairScore(SCORED, score=self.scores[pair])
            if pair in self.scores
            else PairScore(UNKNOWN_CHARACTERS)
            for pair in zip(sources, targets, strict=True)
        ]


def test_every_model_is_asked_its_own_way_round() -> None:
    reverse = ListedScores({("a", "x"): -1, ("b", "x"): -2, ("c", "y"): -3})
    backward = ListedScores({("x", "a"): -4, ("x", "b"): -5, ("y", "c"): -6})
    found = rescore([[ONE, TWO], [THREE]], ["x", "y"], [["a", "b"], ["c"]], reverse, backward)
    assert [each.candidates for each in found] == [[ONE, TWO], [THREE]]
    assert found[0].terms.tolist() == [[ONE.score, -1, -4, 2, 0], [TWO.score, -2, -5, 2, 0]]
    assert found[1].terms.tolist() == [[THREE.score, -3, -6, 2, 0]]


def test_the_length_penalty_of_a_search_is_that_of_all_models() -> None:
    language = LanguageModel.from_bundle(tiny_language_bundle(), engine="fp32")
    plain = Translator.from_bundle(tiny_bundle(), engine="fp32")
    chosen = plain.with_reranker(Reranker(RerankConfig(), plain, None, Fluency(language)))
    for alpha in (0.0, 0.7):
        found = chosen.with_length_penalty(alpha).reranker
        assert found is not None
        assert isinstance(found.reverse, Translator)
        assert isinstance(found.language, Fluency)
        assert found.reverse.search_config.length_penalty == found.language.alpha == alpha


def test_a_language_model_is_asked_for_the_translations_alone() -> None:
    language = LanguageModel.from_bundle(tiny_language_bundle(), engine="fp32")
    fluency = Fluency(language, alpha=2.0)
    texts = ["The cat is cold.", "", "A dog", "A dog"]
    (found,) = rescore([[ONE, TWO, THREE, ONE]], ["x"], [texts], None, None, fluency)
    scored = language.score(texts)
    penalty = ((5 + len(scored[0].pieces)) / 6) ** 2
    assert found.terms[0, 4] == pytest.approx(scored[0].log_probability / penalty)
    assert found.terms[1, 4] == IMPOSSIBLE
    assert found.terms[2, 4] == found.terms[3, 4] > IMPOSSIBLE
    assert found.ranked((0, 0, 0, 0, 1))[-1] == TWO


def test_a_model_that_is_not_there_says_nothing() -> None:
    (found,) = rescore([[ONE]], ["x"], [["a"]], None, None)
    assert found.terms.tolist() == [[ONE.score, 0, 0, 2, 0]]
    assert rescore([], [], [], None, None) == []


def test_scores_are_weighted_and_summed() -> None:
    # -1 - .5 * 4 = -3 against -2 - .5 * 1 = -2.5; length at -1 a piece: -3 - 1 against -2.5 - 3.
    terms = np.array([[-1.0, -4.0, 0.0, 1.0], [-2.0, -1.0, 0.0, 3.0]])
    rescored = Rescored([ONE, TWO], terms)
    assert rescored.ranked((1, 0.5, 0, 0)) == [TWO, ONE]
    assert rescored.ranked((1, 0.5, 0, -1)) == [ONE, TWO]
    config = RerankConfig.model_validate(
        {"reverse_model": "d", "reverse_weight": 0.5, "length_weight": -1.0}
    )
    assert weights_of(config) == (
        *(1, 0.5, config.right_to_left_weight, -1, config.language_weight),
    )


def test_equal_sums_keep_the_order_and_whole_ones_come_first() -> None:
    cut = hypothesis(4, 0.9, finished=False)
    rescored = Rescored([TWO, ONE, cut], np.array([[0.0] * 4, [0.0] * 4, [9.0] * 4]))
    assert rescored.ranked((1, 1, 1, 1)) == [TWO, ONE, cut]


def test_what_a_model_cannot_say_comes_last_unless_it_has_no_weight() -> None:
    reverse = ListedScores({("b", "x"): -50.0, ("c", "x"): -math.inf})
    (found,) = rescore([[ONE, TWO, THREE]], ["x"], [["a", "b", "c"]], reverse, None)
    assert found.terms[:, 1].tolist() == [IMPOSSIBLE, -50, IMPOSSIBLE]
    assert found.ranked((1, 0.1, 0, 0, 0)) == [TWO, ONE, THREE]
    assert found.ranked((1, 0, 0, 0, 0)) == [ONE, TWO, THREE]


# Weights


def test_each_weight_in_turn_takes_its_best_value_until_none_changes() -> None:
    # The best a is b: 0 in the first round, 2 in the second, since b has moved by then.
    def score(weights: Any) -> float:
        return -4 * (weights["b"] - 2) ** 2 - (weights["a"] - weights["b"]) ** 2

    grid = [0.0, 1.0, 2.0, 3.0]
    found = tune(score, {"a": 0.0, "b": 0.0}, {"a": grid, "b": grid})
    assert (found.weights, found.score, found.start) == ({"a": 2.0, "b": 2.0}, 0.0, -16.0)
    assert found.tried <= 16


def test_weights_that_change_nothing_stay() -> None:
    found = tune(lambda weights: 1.0, {"a": 0.5}, {"a": [0.0, 1.0]})
    assert (found.weights, found.tried) == ({"a": 0.5}, 3)


# Options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mbr_samples": 5, "reverse_model": "d"}, "not by both"),
        ({"mbr_utility": "bleu"}, "mbr_utility needs mbr_samples or mbr_beam"),
        ({"mbr_beam": True, "mbr_temperature": 0.5}, "mbr_temperature needs mbr_samples"),
        ({"reverse_weight": 0.5}, "reverse_weight needs reverse_model"),
        ({"reverse_model": "d", "right_to_left_weight": 1.0}, "needs right_to_left_model"),
        ({"length_weight": 0.5}, "length_weight needs a model that rescores"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RerankConfig.model_validate(options)


# On a model

ENGINE = load_engine(tiny_bundle())
IDS = tiny_tokenizers().source.encode(SOURCES)
TASKS = [*map(SearchTask, IDS)]


def decoded(config: RerankConfig, sources: Any, n_best: int = 1, **search: Any) -> Any:
    tasks = [*map(SearchTask, sources)]
    return Reranker(config).decode(
        ENGINE, tiny_tokenizers(), SearchConfig(**search), tasks, n_best=n_best
    )


def test_candidates_are_those_of_the_beam_and_the_draws() -> None:
    beam = decode(ENGINE, TASKS, SearchConfig(), n_best=5)
    draws = decode(ENGINE, TASKS, SearchConfig(temperature=0.5), n_best=3)
    both = RerankConfig(mbr_beam=True, mbr_samples=3, mbr_temperature=0.5)
    for config, candidates in [
        (MBR, beam),
        (RerankConfig(mbr_samples=3, mbr_temperature=0.5), draws),
        (both, [[*one, *other] for one, other in zip(beam, draws, strict=True)]),
    ]:
        for ranked, own in zip(decoded(config, IDS, n_best=3), candidates, strict=True):
            texts = tiny_tokenizers().target.decode([each.tokens for each in own])
            assert ranked == least_risk(own, texts, config)[:3]


def test_a_choice_does_not_depend_on_neighbours() -> None:
    config = RerankConfig(mbr_samples=4, mbr_beam=True)
    together = decoded(config, IDS, n_best=2)
    assert together == [decoded(config, [source], n_best=2)[0] for source in IDS]
    assert together[::-1] == decoded(config, IDS[::-1], n_best=2)


def test_a_beam_of_one_leaves_the_translation_as_it_is() -> None:
    plain = decode(ENGINE, TASKS, SearchConfig(beam_size=1))
    assert decoded(MBR, IDS, beam_size=1) == plain


def test_weights_of_zero_leave_the_order_of_search() -> None:
    config = RerankConfig.model_validate(
        {"right_to_left_model": "d", "right_to_left_weight": 0.0, "length_weight": 0.0}
    )
    other = Translator.from_bundle(tiny_bundle(context_size=7))
    found = Reranker(config, right_to_left=other).decode(
        ENGINE, tiny_tokenizers(), SearchConfig(), TASKS, n_best=5
    )
    assert found == decode(ENGINE, TASKS, SearchConfig(), n_best=5)


def test_more_alternatives_than_candidates_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 alternatives are more than 3 candidates can hold"):
        decoded(RerankConfig(mbr_samples=3), IDS, n_best=4)
    with pytest.raises(ConfigError, match="8 alternatives are more than 8 candidates"):
        decoded(RerankConfig(mbr_samples=3, mbr_beam=True), IDS, n_best=9)


def test_a_translator_chooses_for_texts_and_segments_alike() -> None:
    config = RerankConfig(mbr_samples=8)
    plain = Translator.from_bundle(tiny_bundle())
    chooser = plain.with_reranker(Reranker(config))
    assert chooser.with_search(SearchConfig(beam_size=2)).reranker == chooser.reranker
    expected = [
        tiny_tokenizers().target.decode([best.tokens])[0] for (best,) in decoded(config, IDS)
    ]
    found = chooser.translate(SOURCES)
    assert [translation.text for translation in found] == expected
    assert [translation.text for translation in plain.translate(SOURCES)] != expected
    assert [each.text for each in chooser.translate_segments(SOURCES)] == expected
    assert chooser.with_reranker(None).translate(SOURCES) == plain.translate(SOURCES)


def test_lines_without_words_and_alternatives_keep_their_places() -> None:
    chooser = Translator.from_bundle(tiny_bundle()).with_reranker(
        Reranker(RerankConfig(mbr_samples=3))
    )
    texts = ["", " \t", SOURCES[0], "\n"]
    found = chooser.translate(texts, alternatives=2)
    assert [found[n].text for n in (0, 1, 3)] == ["", " \t", "\n"]
    assert len(found[2].alternatives) <= 2
    assert len({found[2].text, *(each.text for each in found[2].alternatives)}) == 1 + len(
        found[2].alternatives
    )


def test_a_translation_that_is_drawn_leaves_nothing_to_choose() -> None:
    translator = Translator.from_bundle(tiny_bundle())
    chooser = translator.with_reranker(Reranker(MBR))
    with pytest.raises(ConfigError, match=r"temperature = 0\.5 draws the translation"):
        chooser.with_search(SearchConfig(temperature=0.5))
    with pytest.raises(ConfigError, match="mbr_temperature"):
        translator.with_search(SearchConfig(temperature=1.0)).with_reranker(Reranker(MBR))


def test_a_record_names_the_models_by_their_weights() -> None:
    config = RerankConfig.model_validate({"reverse_model": "anywhere"})
    record = Reranker(config, reverse=ListedScores({})).record()
    assert record["reverse_model"] == {"identity": "3f", "engine": "list"}
    assert record["right_to_left_model"] is None
    assert record["reverse_weight"] == config.reverse_weight
    assert "anywhere" not in str(record)
    assert not {name for name in record if name.startswith("language_model")}
    told = Reranker(config, language=ListedScores({})).record()
    assert told["language_model"] == {"identity": "3f", "engine": "list"}
    assert told["language_weight"] == config.language_weight


# Of a translator


def test_only_a_model_that_translates_back_rescores() -> None:
    bundle = tiny_bundle()
    forth = Translator.from_bundle(bundle, engine="fp32")
    with pytest.raises(ConfigError, match="has to translate en to de"):
        forth.rescored_by(forth)
    turned = bundle.config.model_copy(update={"source_language": "en", "target_language": "de"})
    back = Translator.from_bundle(dataclasses.replace(bundle, config=turned), engine="fp32")
    assert forth.rescored_by(back).reranker is not None
