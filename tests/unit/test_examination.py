"""What is asked of a language model, on models of drawn weights and on one that is a rule."""

import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mt.datasets.agreement import CHANGED, SAME, Choice
from mt.engine.reference import TorchEngine
from mt.errors import BundleError, ConfigError
from mt.explain.agreement import accuracies, preferences, wilson
from mt.explain.carriers import (
    BETWEEN,
    ELSEWHERE,
    MENTIONED,
    NEW_SUBJECT,
    SEED,
    SUBJECT,
    find_carrier,
    without_unit,
)
from mt.explain.examination import examine_bundle
from mt.explain.watched import watch, watched_layers
from mt.language_model import LanguageModel, LineScore
from mt.parameters import load_model
from mt.tokens import BEGIN
from support.bundles import tiny_bundle, tiny_language_bundle
from support.models import language_model_config, tiny_model

NOUNS = ("dog", "boy", "girl", "train", "book", "cat")
SENTENCES = [
    Choice("verb", "1 attractor", f"The {noun} in the {other}", ("is", "are"), second, "here.",
           decider=1, others=(4,))
    for noun in NOUNS for other in NOUNS for second in (False, True) if noun != other
]  # fmt: skip


class NearestWord:
    """A model that takes the second form behind a word in -s, and writes each piece at -1."""

    tokenizer = SimpleNamespace(encode=lambda lines: [line.split() for line in lines])

    def score(self, lines):
        return [self.one(line.split()) for line in lines]

    def one(self, words):
        if "ß" in words[-1]:
            return LineScore("unknown_characters")
        agrees = (words[-1] == "are") == words[-2].endswith("s")
        each = (*[-1.0] * (len(words) - 1), -0.5 if agrees else -2.0, -9.0)
        return LineScore("scored", (*words, "</s>"), each, len(words))


def choice(before, second, case="1 attractor", forms=("is", "are")):
    return Choice("verb", case, before, forms, second, ".", decider=1)


def test_the_right_form_is_held_against_the_wrong_one_given_what_is_read():
    asked = [
        choice("The keys", True),
        choice("The keys to it", True),
        choice("x", True, forms=("ß", "y")),
    ]
    assert preferences(NearestWord(), asked) == [1.5, -1.5, None]


def test_accuracies_are_by_case_with_the_share_of_one_form():
    asked = [
        choice("The keys", True, "a"),
        choice("The key", False, "a"),
        choice("The keys of it", True, "b"),
        choice("The key of it", False, "b"),
        choice("The egg of it", False, "b"),
        choice("The egg of", False, "b", ("ß", "y")),
    ]
    a, b = accuracies(NearestWord(), asked)
    assert (a.case, a.right, a.total, a.majority, a.unspelled) == ("a", 2, 2, 0.5, 0)
    assert (b.case, b.right, b.total, b.majority, b.unspelled) == ("b", 2, 3, 2 / 3, 1)
    assert a.share == 1


def test_the_interval_is_wilsons():
    # The two p at which (8/10 - p) is 1.96 standard errors sqrt(p (1 - p) / 10).
    for bound in wilson(8, 10):
        assert abs(0.8 - bound) / math.sqrt(bound * (1 - bound) / 10) == pytest.approx(
            1.96, abs=1e-4
        )
    low, high = wilson(10, 10)
    assert 0.72 < low < 0.73
    assert high == pytest.approx(1)


def test_a_words_probability_is_that_of_its_pieces_behind_the_rest():
    model = LanguageModel.from_bundle(tiny_language_bundle(), engine="fp32")
    asked = SENTENCES[0]
    state, previous, found = model.start(1), BEGIN, {}
    for token in model.tokenizer.encode([asked.before])[0]:
        _, state = model.step(np.array([previous]), state)
        previous = token
    for form in asked.forms:
        ids = model.tokenizer.encode([form])[0]
        after, last, found[form] = state, previous, 0.0
        for token in ids:
            values, after = model.step(np.array([last]), after)
            found[form] += float(values[0, token])
            last = token
    (preference,) = preferences(model, [asked])
    assert preference == pytest.approx(found[asked.right] - found[asked.wrong], abs=1e-5)


# Units


@pytest.mark.parametrize("changes", [{}, {"peepholes": True, "layer_norm": True}])
def test_a_unit_that_is_taken_out_gives_out_nothing_and_the_model_stays_as_it_was(changes):
    model = tiny_model(4, language_model_config(**changes))
    before = {name: array.clone() for name, array in model.state_dict().items()}
    changed = watch(without_unit(model, 2, 3))
    previous = torch.tensor([[BEGIN, 4, 5, 6, 7]])
    changed.decoder(previous, changed.decoder.zero_state(1))
    first, second = (layer.activations[0] for layer in watched_layers(changed.decoder.layers))
    assert not second.hidden[..., 3].any()
    assert second.cell[..., 3].all()
    assert second.hidden[..., :3].all()
    assert first.hidden.all()
    assert all(torch.equal(array, model.state_dict()[name]) for name, array in before.items())


def gates_of(model, tokenizer, line):
    """Of the only layer, having read each piece of one line."""
    watched = watch(model)
    previous = torch.tensor([[BEGIN, *tokenizer.encode([line])[0]]])
    watched.decoder(previous, watched.decoder.zero_state(1))
    (layer,) = watched_layers(watched.decoder.layers)
    return layer.activations[0].forget[1:, 0], layer.activations[0].cell[1:, 0]


def test_the_forget_gate_is_that_of_the_last_piece_of_each_word():
    bundle = tiny_language_bundle()
    model, tokenizer = load_model(bundle).eval(), bundle.tokenizers.target
    carrier = find_carrier(model, tokenizer, SENTENCES)
    by_place = {SUBJECT: [], BETWEEN: [], ELSEWHERE: []}
    for asked in SENTENCES:
        forget, _ = gates_of(model, tokenizer, asked.before)
        pieces = tokenizer.pieces(tokenizer.encode([asked.before])[0])
        ends = [n for n, p in enumerate([*pieces[1:], "▁"]) if p.startswith("▁")]
        places = {ends[1]: SUBJECT, ends[4]: BETWEEN}
        for place, value in enumerate(forget[:, carrier.unit].tolist()):
            by_place[places.get(place, ELSEWHERE)].append(value)
    for found in carrier.forgetting:
        assert found.places == len(by_place[found.where])
        assert found.mean == pytest.approx(np.mean(by_place[found.where]), abs=1e-5)
    assert [found.where for found in carrier.forgetting] == [SUBJECT, BETWEEN, ELSEWHERE]


def test_a_person_mentioned_is_no_new_subject():
    bundle = tiny_language_bundle()
    model, tokenizer = load_model(bundle).eval(), bundle.tokenizers.target
    mentioned, changed, same = (
        Choice("pronoun", case, before, ("he", "she"), False, "sings.", decider, others)
        for case, before, decider, others in (
            ("another person mentioned", "The boy reads to the girl and", 1, (5,)),
            (CHANGED, "The girl reads and the boy eats and", 5, (1,)),
            (SAME, "The man reads and the boy eats and", 5, (1,)),
        )
    )
    carrier = find_carrier(model, tokenizer, [mentioned] * 10 + [changed] * 6 + [same] * 5)
    found = {each.where: each.places for each in carrier.forgetting if each.where != ELSEWHERE}
    assert found == {SUBJECT: 10 + 6 + 2 * 5, NEW_SUBJECT: 6, MENTIONED: 10}


def test_the_unit_that_tells_the_forms_best_is_found_and_measured_on_the_other_half():
    bundle = tiny_language_bundle()
    model, tokenizer = load_model(bundle).eval(), bundle.tokenizers.target
    asked, unit = SENTENCES[1:], 9
    order = list(range(59))
    random.Random(SEED).shuffle(order)
    # The right form is what one unit's cell says, so that unit tells all of them: in the half that
    # fits. In the half that measures the opposite is right.
    cells = np.array([gates_of(model, tokenizer, c.before)[1][-1, unit].item() for c in asked])
    second = cells > np.median(cells)
    second[order[1::2]] ^= True
    told = [c._replace(second=bool(x)) for c, x in zip(asked, second, strict=True)]
    carrier = find_carrier(model, tokenizer, told)
    assert (carrier.layer, carrier.unit, carrier.fitted) == (1, unit, 1.0)
    assert carrier.accuracy < 0.1  # not 0: the cut lies between two of that half
    assert carrier.choices == 29
    assert abs(carrier.whole - carrier.ablated) <= carrier.changed
    assert carrier.changed > 0
    measured = [told[place] for place in order[1::2]]
    for network, share in (
        (model, carrier.whole),
        (without_unit(model, carrier.layer, carrier.unit), carrier.ablated),
    ):
        scorer = LanguageModel(TorchEngine(network), tokenizer, name="", language="en")
        assert share == np.mean([found > 0 for found in preferences(scorer, measured)])
    assert 0 < carrier.whole < 1
    assert find_carrier(model, tokenizer, told[:19]) is None
    unspelled = [each._replace(forms=("ß", "ü")) for each in told]
    assert find_carrier(model, tokenizer, unspelled) is None


def test_only_a_language_model_of_english_is_asked():
    with pytest.raises(BundleError, match="no language model"):
        examine_bundle(tiny_bundle(), [])
    bundle = tiny_language_bundle()
    german = bundle.config.model_copy(update={"target_language": "de"})
    with pytest.raises(ConfigError, match="language model of 'de'"):
        examine_bundle(type(bundle)(german, bundle.tokenizers, bundle.weights, {}), [])
    found = examine_bundle(bundle, SENTENCES[:30])
    model = LanguageModel(
        TorchEngine(load_model(bundle).eval()), bundle.tokenizers.target, name="", language="en"
    )
    assert found.accuracies == accuracies(model, SENTENCES[:30])
    assert [carrier.kind for carrier in found.carriers] == ["verb"]
