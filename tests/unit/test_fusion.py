"""Shallow fusion: sums on tables of a few tokens, the rest on tiny models that share pieces."""

import numpy as np
import pytest

from mt.bundle import save_bundle
from mt.card import model_card
from mt.engine import load_engine
from mt.errors import BundleError
from mt.fusion import FusionEngine, check_fits
from mt.likelihood import force_pairs
from mt.search import search
from mt.tokenizer import RightToLeft
from mt.translator import Translator
from support.bundles import SOURCES, tiny_bundle, tiny_language_bundle
from support.scorers import TableScorer, written

A, B = 1, 2


class TableEngine(TableScorer):
    """A table, whatever the source."""

    name = "table"
    environment = {"threads": 1}  # noqa: RUF012 # of a stand-in

    def __init__(self, table):
        super().__init__([])
        self.table = table

    def start(self, sources, *, shortlist=0):
        self.shortlist = shortlist
        self.tables = [self.table] * len(sources)
        return super().start()


def fused(translation, language, weight):
    """Of two tables of the first token and what follows."""
    tables = (TableEngine(written(table)) for table in (translation, language))
    return FusionEngine(*tables, weight, identity="3f" * 32)


def test_each_step_is_the_weighted_sum():
    engine = fused({(): [0.2, 0.5, 0.3]}, {(): [0.1, 0.1, 0.8]}, 0.5)
    values, _ = engine.step(np.array([99]), engine.start([()]))
    expected = [[np.log(0.2 * 0.1**0.5), np.log(0.5 * 0.1**0.5), np.log(0.3 * 0.8**0.5)]]
    np.testing.assert_allclose(values, expected)
    assert (engine.begin, engine.end) == (99, 0)
    assert engine.name == "table + 0.5 table language model 3f3f3f3f3f3f"


def test_the_shortlist_is_of_the_translation_and_not_of_the_language_model():
    translation, language = (TableEngine(written({(): [0.2, 0.5, 0.3]})) for _ in range(2))
    FusionEngine(translation, language, 0.5, identity="").start([()], shortlist=7)
    assert (translation.shortlist, language.shortlist) == (7, 0)


@pytest.mark.parametrize(("weight", "tokens"), [(0.1, (A,)), (2.0, (B,))])
def test_the_weight_decides_what_is_found(weight, tokens):
    # A then the end is 0.6 * 0.1 ** W, B then the end 0.4 * 0.9 ** W.
    after = {(A,): [1.0, 0, 0], (B,): [1.0, 0, 0]}
    engine = fused({(): [0, 0.6, 0.4], **after}, {(): [0, 0.1, 0.9], **after}, weight)
    ((best, second),) = search(
        engine, engine.start([()]), np.array([3]), beam_size=2, alpha=0.0, n_best=2
    )
    assert best.tokens == tokens
    sums = {(A,): np.log(0.6 * 0.1**weight), (B,): np.log(0.4 * 0.9**weight)}
    assert best.log_probability == pytest.approx(sums[best.tokens])
    assert second.log_probability == pytest.approx(sums[second.tokens])


def translated(translator, texts):
    return [each.text for each in translator.translate(texts)]


@pytest.fixture
def folder(tmp_path):
    bundle = tiny_language_bundle()
    save_bundle(tmp_path / "language", bundle, model_card(bundle))
    return tmp_path / "language"


def test_a_translation_depends_on_the_language_model_and_not_on_its_neighbours(folder):
    plain = Translator.from_bundle(tiny_bundle())
    fused = plain.with_language_model(folder, 0.7)
    together = translated(fused, SOURCES)
    assert together != translated(plain, SOURCES)
    assert together == [translated(fused, [source])[0] for source in SOURCES]
    assert together == translated(plain.with_language_model(folder, 0.7), SOURCES[::-1])[::-1]
    assert fused.engine.startswith("int8 + 0.7 int8 language model ")
    assert fused.identity == plain.identity


def test_the_score_of_a_translation_is_the_sum(folder):
    plain = Translator.from_bundle(tiny_bundle(), engine="fp32")
    fused = plain.with_language_model(folder, 0.5, engine="fp32")
    language = load_engine(tiny_language_bundle(), "fp32")
    (source,) = plain.plan(SOURCES[0]).sources
    (hypothesis,) = fused.search([source])[0]
    assert hypothesis.finished
    pair = [(source, hypothesis.tokens)]
    own, its = (
        sum(force_pairs(engine, pair, plain.search_config)[0])
        for engine in (load_engine(tiny_bundle(), "fp32"), language)
    )
    assert hypothesis.log_probability == pytest.approx(own + 0.5 * its, abs=1e-4)


def test_what_does_not_fit_is_refused():
    english = tiny_bundle().tokenizers.target
    bundle = tiny_language_bundle()
    check_fits("lm", bundle, english, "en")
    with pytest.raises(BundleError, match=r"^lm is no language model: its task is 'translate'$"):
        check_fits("lm", tiny_bundle(), english, "en")
    with pytest.raises(BundleError, match="language model of 'en'; the translations are in 'fr'"):
        check_fits("lm", bundle, english, "fr")
    with pytest.raises(BundleError, match="writes from right to left"):
        check_fits("lm", bundle, RightToLeft(english), "en")
    with pytest.raises(BundleError, match=r"another tokenizer .* tokenizers_from"):
        check_fits("lm", bundle, tiny_bundle().tokenizers.source, "en")
