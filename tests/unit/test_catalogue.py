"""Which models are served, and the ways through them."""

import shutil

import pytest

from mt.bundle import BUNDLED_MODELS
from mt.config import SearchConfig
from mt.errors import BundleError, ConfigError
from service.errors import Kind, ServiceError
from service.settings import Settings, load_settings
from service.texts.catalogue import Catalogue, Way, load_catalogue
from support.workers import stub_catalogue as catalogue
from support.workers import stub_model as model


def names(way):
    return None if way is None else [each.name for each in way.models]


def test_a_direct_model_goes_before_a_detour():
    served = catalogue("de-fr", "de-en", "en-fr")
    assert names(served.way("de", "fr")) == ["de-fr"]
    assert served.way("de", "fr").pivot is None


def test_without_a_direct_model_a_third_language_lies_in_between():
    served = catalogue("de-en", "en-fr")
    way = served.way("de", "fr")
    assert names(way) == ["de-en", "en-fr"]
    assert (way.source, way.pivot, way.target, way.pair) == ("de", "en", "fr", "de-fr")


def test_english_is_the_preferred_language_in_between():
    served = catalogue("de-es", "es-fr", "de-en", "en-fr")
    assert served.way("de", "fr").pivot == "en"
    assert catalogue("de-es", "es-fr", "de-it", "it-fr").way("de", "fr").pivot == "es"


def test_there_is_no_way_of_three_models_and_none_to_where_one_is():
    served = catalogue("de-en", "en-fr", "fr-es")
    assert served.way("de", "es") is None
    assert catalogue("de-en", "en-de").way("de", "de") is None


def test_of_two_models_of_a_pair_the_first_is_used():
    assert names(catalogue("de-en-large", "de-en").way("de", "en")) == ["de-en-large"]
    assert names(catalogue("fr-en", "de-en-b", "de-en-a").way("de", "en")) == ["de-en-b"]


def test_a_model_is_rescored_by_the_one_that_translates_back():
    served = catalogue("de-en", "en-de-large", "en-de", "fr-en")
    assert served.rescorer(served.model("de-en")).name == "en-de-large"
    assert served.rescorer(served.model("en-de")).name == "de-en"
    assert served.rescorer(served.model("fr-en")) is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"search": SearchConfig(temperature=1.0)}, "it draws them"),
        ({"search": SearchConfig(beam_size=1)}, "its beam of 1 leaves nothing to choose"),
        ({"source": "fr", "target": "de"}, "no model of this server translates de to fr"),
    ],
)
def test_a_model_with_nothing_to_choose_or_nobody_to_ask_is_not_rescored(fields, why):
    alone = model("de-en-one", **fields)
    served = Catalogue([alone, model("en-de"), model("en-fr")])
    assert served.rescorer(alone) is None
    way = Way((alone,))
    assert served.rescored(way) is None
    told = f"translations of model de-en-one cannot be rescored: {why}"
    assert served.why_not_rescored(way) == told


def test_what_answers_is_not_rescored():
    answers = model("de-en-answers", task="answer")
    served = Catalogue([model("en-de"), answers])
    assert served.rescorer(answers) is None


def test_a_way_is_rescored_at_each_of_its_models_or_at_none():
    served = catalogue("de-en", "en-de", "en-fr", "fr-en", "en-es")
    rescored = served.rescored(served.way("de", "fr"))
    assert names(rescored) == ["de-en", "en-fr"]
    assert [each.name for each in rescored.rescorers] == ["en-de", "fr-en"]
    assert served.rescored(served.way("de", "es")) is None


def test_languages_begin_with_those_of_the_default_model():
    served = catalogue("fr-en", "de-en")
    assert served.languages == ("fr", "en", "de")
    assert served.default.name == "fr-en"


def test_targets_are_all_that_can_be_reached():
    served = catalogue("de-en", "en-de", "en-fr")
    assert served.targets("de") == ["en", "fr"]
    assert served.targets("en") == ["de", "fr"]
    assert served.targets("fr") == []


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("de", "de"),
        ("DE", "de"),
        (" de ", "de"),
        ("de-DE", "de"),
        ("de_AT", "de"),
        ("de-Latn-DE", "de"),
        ("EN-GB", "en"),
        ("pb", "pt"),
        ("pt-BR", "pt"),
        ("zz", None),
        ("", None),
        ("-", None),
        ("deu", None),
    ],
)
def test_a_code_means_the_language_served(code, meant):
    assert catalogue("de-en", "pt-en").language(code) == meant


def test_a_code_longer_than_any_language_tag_means_nothing():
    served = catalogue("de-en")
    assert served.language("de" + "-abcdefgh" * 3 + "-abcde") == "de"  # 35 characters
    assert served.language("de" + "-abcdefgh" * 3 + "-abcdef") is None
    assert served.language("-" * 1_000_000) is None  # which took longer than anyone waits


def test_a_model_is_found_by_its_name():
    served = catalogue("de-en", "en-de")
    assert served.model("en-de").pair == "en-de"
    with pytest.raises(ServiceError, match="'fr-en'; there are de-en, en-de") as caught:
        served.model("fr-en")
    assert caught.value.kind is Kind.NOT_FOUND


def test_names_are_unique_and_there_is_a_model():
    with pytest.raises(ConfigError, match="two models are named 'de-en'"):
        Catalogue([model("de-en"), model("en-de"), model("de-en")])
    with pytest.raises(ConfigError, match="no model"):
        Catalogue([])


# From folders


@pytest.fixture
def folder(tmp_path):
    for name in ("de-en", "en-de"):
        shutil.copytree(BUNDLED_MODELS / name, tmp_path / name)
    (tmp_path / "no model").mkdir()
    (tmp_path / "README.md").write_text("of no interest")
    return tmp_path


def test_the_bundled_models_are_served_unless_others_are_named():
    served = load_catalogue(Settings())
    assert [each.name for each in served.models] == [
        "de-en",
        "en-de",
        "en-es",
        "en-fr",
        "es-en",
        "fr-en",
    ]
    assert [each.name for each in served.answering] == ["small-talk"]
    assert served.languages == ("de", "en", "es", "fr")
    assert served.default.bleu is not None
    assert len(served.default.sha256) == 64
    assert served.default.card.startswith("# ")


def test_all_models_of_a_folder_are_served(folder):
    served = load_catalogue(Settings(models=folder))
    assert [each.folder for each in served.models] == [folder / "de-en", folder / "en-de"]


def test_models_named_one_by_one_are_served_alone_in_that_order(folder):
    assert [m.name for m in load_catalogue(Settings(model=("en-de",))).models] == ["en-de"]
    served = load_catalogue(Settings(model=(folder / "en-de", folder / "de-en")))
    assert [each.name for each in served.models] == ["en-de", "de-en"]


@pytest.mark.parametrize("given", ["de-en,en-de", "de-en;en-de", "de-en en-de"])
def test_models_separated_by_something_else_are_told_the_separator(given):
    with pytest.raises(ConfigError, match=r"MT_MODEL several are separated by ':'"):
        load_catalogue(load_settings(model=given))


def test_a_folder_may_have_a_comma_in_its_name(folder):
    (folder / "de-en").rename(folder / "de, en")
    assert load_catalogue(Settings(model=(folder / "de, en",))).default.pair == "de-en"


def test_the_default_can_be_named(folder):
    served = load_catalogue(Settings(models=folder, default_model="en-de"))
    assert served.default.name == "en-de"
    with pytest.raises(ConfigError, match=r"MT_DEFAULT_MODEL: .*'fr-en'; there are de-en, en-de"):
        load_catalogue(Settings(models=folder, default_model="fr-en"))


def test_a_damaged_model_is_named(folder):
    next((folder / "en-de").glob("weights-*")).write_bytes(b"damaged")
    with pytest.raises(BundleError, match="en-de"):
        load_catalogue(Settings(models=folder))


def test_a_folder_without_models_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no model"):
        load_catalogue(Settings(models=tmp_path))
    with pytest.raises(ConfigError, match=r"MT_MODELS: .*missing is not a folder"):
        load_catalogue(Settings(models=tmp_path / "missing"))
