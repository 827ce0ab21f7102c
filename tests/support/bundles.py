"""A model small enough for a unit test, whole: tokenizers, random weights, configuration, record.

Knows how a bundle is put together. Its tokenizers are trained on the sentences below; its weights
are drawn, not trained, so its translations are noise, but the same noise every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mt.bundle import Bundle, BundleConfig, save_bundle
from mt.card import model_card
from mt.config import ModelConfig, SearchConfig, TokenizerConfig
from mt.model import make_model
from mt.parameters import half_precision
from mt.tokenizer import TokenizerPair, train_tokenizers
from mt.tokens import END

PAIRS = (
    ("Guten Morgen.", "Good morning."),
    ("Gute Nacht!", "Good night!"),
    ("Wie geht es dir?", "How are you?"),
    ("Mir geht es gut, danke.", "I am fine, thank you."),
    ("Ein Hund läuft über die Wiese.", "A dog is running across the meadow."),
    ("Zwei Hunde spielen im Schnee.", "Two dogs are playing in the snow."),
    ("Die Katze schläft auf dem Sofa.", "The cat is sleeping on the sofa."),
    ("Das Mädchen liest ein Buch.", "The girl is reading a book."),
    ("Der Junge isst einen grünen Apfel.", "The boy is eating a green apple."),
    ("Wir gehen heute Abend ins Kino.", "We are going to the cinema tonight."),
    ("Ich habe keine Zeit.", "I have no time."),
    ("Hast du Hunger?", "Are you hungry?"),
    ("Das Wasser ist kalt.", "The water is cold."),
    ("Er kommt morgen um acht Uhr.", "He is coming tomorrow at eight o'clock."),
    ("Sie wohnt in einer kleinen Stadt.", "She lives in a small town."),
    ("Unser Haus hat drei Fenster.", "Our house has three windows."),
    ("Kannst du mir helfen?", "Can you help me?"),
    ("Ich verstehe diese Frage nicht.", "I do not understand this question."),
    ("Es regnet seit gestern.", "It has been raining since yesterday."),
    ("Der Zug fährt um zehn ab.", "The train leaves at ten."),
    ("Eine Frau mit Hut wartet an der Straße.", "A woman with a hat is waiting on the street."),
    ("Mein Bruder spielt gern Fußball.", "My brother likes to play football."),
    ("Was kostet das Brot?", "How much is the bread?"),
    ("Die Kinder singen ein altes Lied.", "The children are singing an old song."),
)
"""Sentence pairs, (German, English)."""

SOURCES = [source for source, _ in PAIRS]
TARGETS = [target for _, target in PAIRS]

SMALL_TOKENIZER = TokenizerConfig(vocabulary_size=120)
"""As many pieces as the sentences above offer both subword kinds."""

_SIZES = {
    "embedding_size": 12,
    "encoder_hidden_size": 8,
    "encoder_layers": 1,
    "decoder_hidden_size": 16,
    "decoder_layers": 1,
    "context_size": 6,
}


@cache
def tiny_tokenizers(joint: bool = False) -> TokenizerPair:
    """Tokenizers of `PAIRS`."""
    config = SMALL_TOKENIZER.model_copy(update={"joint": joint})
    return train_tokenizers(SOURCES, TARGETS, config)


@cache
def tiny_bundle(*, joint: bool = False, **model_changes: Any) -> Bundle:
    """A German to English bundle of a few thousand drawn weights, always the same.

    It is made once for the same arguments and shared by all tests; its arrays are read-only.

    Args:
        joint: one tokenizer for both languages.
        model_changes: fields of `ModelConfig` that differ from the sizes above.
    """
    config = BundleConfig(
        name="tiny-de-en",
        source_language="de",
        target_language="en",
        joint_vocabulary=joint,
        model=ModelConfig(**{**_SIZES, **model_changes}),
        search=SearchConfig(),
    )
    return _drawn(config, tiny_tokenizers(joint), _RECORD)


@cache
def tiny_language_bundle(**model_changes: Any) -> Bundle:
    """A language model of English, likewise; its vocabulary is the English side of `PAIRS`."""
    english = tiny_tokenizers().target
    config = BundleConfig(
        name="tiny-en",
        task="continue",
        source_language="en",
        target_language="en",
        joint_vocabulary=True,
        model=ModelConfig(**{**_SIZES, "encoder_layers": 0, "context_size": 0, **model_changes}),
        search=SearchConfig(),
    )
    record = {name: value for name, value in _RECORD.items() if name != "bleu"}
    scores = {"perplexity": 21.5, "word_perplexity": 95.25}
    return _drawn(config, TokenizerPair(english, english), {**record, **scores})


def _drawn(config: BundleConfig, tokenizers: TokenizerPair, record: Mapping[str, Any]) -> Bundle:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = make_model(config.model, len(tokenizers.source), len(tokenizers.target))
    # As initialised, a model says much the same of every source and never ends: with weights five
    # times as large and some weight on the end token, about half of its translations are whole.
    weights = {name: 5 * array for name, array in half_precision(model).items()}
    weights["output_bias"][END] = 4
    for array in weights.values():
        array.flags.writeable = False
    return Bundle(config, tokenizers, weights, record)


def save_tiny_bundle(folder: Path) -> Path:
    """Write the tiny bundle and its card as a model folder; returns the folder."""
    bundle = tiny_bundle()
    save_bundle(folder, bundle, model_card(bundle))
    return folder


_RECORD = {
    "pairs": "24 read, 24 kept, 0 empty, 0 duplicate, 0 too long, 0 uneven",
    "licence": "CC0",
    "update": 7,
    "epoch": 2,
    "nll": 4.5,
    "bleu": 1.25,
    "signature": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
}
