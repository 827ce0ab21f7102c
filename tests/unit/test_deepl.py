"""DeepL's parameters: each accepted, refused or named as without effect; and its languages."""

import pytest

from service.deepl import languages as deepl_languages
from service.deepl.parameters import MAX_TEXTS, Query, one_string, read_query
from service.errors import Kind, ServiceError
from service.parameters import Parameters
from service.settings import Settings
from service.texts.cutting import Style
from service.texts.jobs import Rescoring
from support.workers import stub_catalogue

NEEDED = {"text": ["Hallo"], "target_lang": "EN-GB"}


def read(*models: str, settings: Settings | None = None, **given: object) -> Query:
    parameters = list((NEEDED | given).items())
    return read_query(parameters, stub_catalogue(*models), settings or Settings())


def style(**given: object) -> Style:
    return read(**given).job.style


def refusal(*models: str, **given: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        read(*models, **given)
    return caught.value


def from_form(*fields: tuple[str, str]) -> Query:
    parameters: Parameters = fields
    return read_query(parameters, stub_catalogue(), Settings())


def test_a_form_repeats_what_json_has_in_a_list():
    form = from_form(("target_lang", "en"), ("text", "eins"), ("text", "zwei"))
    assert form.job.texts == ["eins", "zwei"]
    assert form == read(text=["eins", "zwei"])
    assert read(text="eins").job.texts == ["eins"]


def test_empty_texts_are_texts():
    assert read(text=["", " "]).job.texts == ["", " "]


def test_texts_are_made_valid_unicode_and_nothing_else():
    assert read(text=["a\ud800\0\r\n"]).job.texts == ["a\ufffd\r\n"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ([], "Parameter 'text' not specified."),
        (None, "Value for 'text' not supported."),
        (5, "Value for 'text' not supported."),
        ({"a": "b"}, "Value for 'text' not supported."),
        (["a", 5], "Value for 'text' not supported."),
        (["a", ["b"]], "Value for 'text' not supported."),
        (["a"] * (MAX_TEXTS + 1), "Parameter 'text' has 51 texts, the most are 50."),
    ],
)
def test_texts_that_are_none_are_refused(text, message):
    error = refusal(text=text)
    assert (error.status, error.message, error.field) == (400, message, "text")


def test_fifty_texts_are_accepted_unless_the_server_has_a_limit_of_its_own():
    assert len(read(text=["a"] * MAX_TEXTS).job.texts) == MAX_TEXTS
    with pytest.raises(ServiceError, match="has 3 texts, the most are 2"):
        read(text=["a"] * 3, settings=Settings(batch_limit=2))


def test_a_text_over_the_limit_of_the_server_is_refused():
    settings = Settings(char_limit=5)
    assert read(text=["a" * 5], settings=settings).job.texts == ["aaaaa"]
    with pytest.raises(ServiceError, match="has 6 characters, the most in a text are 5") as caught:
        read(text=["a", "a" * 6], settings=settings)
    assert caught.value.status == 413


@pytest.mark.parametrize("code", ["EN", "en", "EN-GB", "en-us", "EN_us"])
def test_targets_are_taken_in_any_case_and_with_any_region(code):
    assert read(target_lang=code).job.target == "en"


@pytest.mark.parametrize("code", ["DE", "de", "de-AT"])
def test_the_region_of_a_source_does_not_matter(code):
    assert read(source_lang=code).job.source == "de"


@pytest.mark.parametrize("code", [None, ""])
def test_a_source_left_out_is_detected(code):
    assert read(source_lang=code).job.source is None


@pytest.mark.parametrize("name", ["source_lang", "target_lang"])
@pytest.mark.parametrize("code", ["XX", "auto", 5, True, ["EN", "DE"], {"EN": "EN"}, [["EN"]]])
def test_unknown_languages_are_refused_in_deepls_words(name, code):
    error = refusal(**{name: code})
    assert (error.status, error.message, error.field) == (
        400,
        f"Value for '{name}' not supported.",
        name,
    )


def test_a_target_left_out_is_refused_as_deepl_does():
    assert refusal(target_lang=None).message == "Value for 'target_lang' not supported."


def test_a_pair_that_nothing_translates_is_refused_with_what_there_is():
    error = refusal("de-en", source_lang="EN", target_lang="DE")
    assert error.kind is Kind.UNSUPPORTED_LANGUAGE
    assert error.message == (
        "Value for 'target_lang' not supported. This server translates EN to nothing."
    )
    error = refusal("de-en", "fr-en", "en-fr", source_lang="FR", target_lang="DE")
    assert error.message.endswith("translates FR to EN.")


def test_a_language_is_no_wrong_target_for_itself():
    assert read(source_lang="EN-US").job.source == "en"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Style("text", "split")),
        ({"split_sentences": "1"}, Style("text", "split")),
        ({"split_sentences": "0"}, Style("text", "whole")),
        ({"split_sentences": "nonewlines"}, Style("text", "unwrap")),
        ({"split_sentences": "NoNewlines"}, Style("text", "unwrap")),
        ({"tag_handling": "xml"}, Style("xml", "split")),
        ({"tag_handling": "html"}, Style("html", "unwrap")),
        ({"tag_handling": "html", "split_sentences": "1"}, Style("html", "split")),
        ({"tag_handling": "xml", "ignore_tags": ["x"]}, Style("xml", "split", frozenset("x"))),
        (
            {"tag_handling": "xml", "splitting_tags": "x", "non_splitting_tags": "y"},
            Style("xml", "split", frozenset(), frozenset("x"), frozenset("y")),
        ),
        (
            {"tag_handling": "html", "ignore_tags": "x, keep,,"},
            Style("html", "unwrap", frozenset({"x", "keep"})),
        ),
        (
            {"tag_handling": "xml", "ignore_tags": ["x,y", "z"]},
            Style("xml", "split", frozenset("xyz")),
        ),
    ],
)
def test_sentences_and_tags_decide_how_a_text_is_read(given, expected):
    assert style(**given) == expected


@pytest.mark.parametrize("flag", [True, False, "0", "1", "true", "FALSE", None, ""])
@pytest.mark.parametrize(
    "name", ["preserve_formatting", "outline_detection", "show_billed_characters"]
)
def test_flags_are_booleans_or_what_forms_make_of_them(name, flag):
    assert read(**{name: flag}).job == read().job


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("split_sentences", "2"),
        ("split_sentences", 1),
        ("tag_handling", "rtf"),
        ("tag_handling_version", "v3"),
        ("formality", "rude"),
        ("model_type", "small"),
        ("preserve_formatting", "maybe"),
        ("outline_detection", 2),
        ("show_billed_characters", [True, False]),
        ("context", 5),
        ("ignore_tags", [5]),
        ("splitting_tags", {"a": 1}),
        ("non_splitting_tags", [["a"]]),
        ("glossary_id", 5),
        ("glossary_ids", [5]),
        ("style_id", "5"),
        ("custom_instructions", ["be brief"]),
        ("translation_memory_id", "5"),
        ("translation_memory_threshold", 80),
        ("translation_memory_threshold", 0),
    ],
)
def test_values_that_are_not_supported_are_refused_by_name(name, value):
    error = refusal(**{name: value})
    assert error.status == 400
    assert error.message == f"Value for '{name}' not supported."
    assert error.field == name


@pytest.mark.parametrize("formality", ["more", "less", "MORE"])
def test_a_formality_that_is_demanded_is_refused_as_deepl_does(formality):
    error = refusal(formality=formality)
    assert (error.status, error.message) == (
        400,
        "'formality' is not supported for given 'target_lang'.",
    )


@pytest.mark.parametrize("given", [{"glossary_id": "g"}, {"glossary_ids": ["g", "h"]}])
def test_no_glossary_is_found_and_one_needs_a_source(given):
    error = refusal(**given)
    assert error.status == 400
    assert "source_lang" in error.message
    assert refusal(source_lang="DE", **given).status == 404


@pytest.mark.parametrize(
    ("asked", "usually", "rescoring"),
    [
        (None, False, Rescoring.NEVER),
        (None, True, Rescoring.WHERE_POSSIBLE),
        ("latency_optimized", True, Rescoring.NEVER),
        ("quality_optimized", False, Rescoring.ALWAYS),
        ("prefer_quality_optimized", False, Rescoring.WHERE_POSSIBLE),
    ],
)
def test_a_model_of_better_quality_is_one_that_is_rescored(asked, usually, rescoring):
    query = read(model_type=asked, settings=Settings(rescore=usually))
    assert query.job.rescoring is rescoring
    assert query.names_model_type == (asked is not None)


@pytest.mark.parametrize(
    "given",
    [
        {"context": "Ein Brief."},
        {"formality": "prefer_more"},
        {"formality": "prefer_less"},
        {"ignore_tags": ["x"]},  # without tag_handling
        {"splitting_tags": ["x"]},  # without tag_handling
        {"non_splitting_tags": ["x"]},  # without tag_handling
        {"outline_detection": False},
        {"outline_detection": "0"},
        {"preserve_formatting": True},
        {"tag_handling_version": "v1"},
    ],
)
def test_what_asks_for_something_else_than_is_done_is_named(given):
    assert read(**given).ignored == tuple(given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"context": ""},
        {"formality": "default"},
        {"tag_handling": "xml", "ignore_tags": ["x"], "splitting_tags": ["p"]},
        {"tag_handling": "xml", "non_splitting_tags": ["x"]},
        {"outline_detection": True},
        {"preserve_formatting": "0"},
        {"custom_instructions": [], "style_id": None},
        {"show_billed_characters": True},
        {"enable_beta_languages": "1", "what_deepl_may_invent": {"a": [1]}},
    ],
)
def test_what_asks_for_what_is_done_is_not_named(given):
    assert read(**given).ignored == ()


def test_a_single_parameter_is_read_by_name():
    assert one_string([("type", "target"), ("other", "x")], "type") == "target"
    assert one_string([], "type") == ""
    with pytest.raises(ServiceError, match="Value for 'type' not supported"):
        one_string([("type", "source"), ("type", "target")], "type")


def test_targets_come_with_their_variants_and_sources_without():
    assert deepl_languages.sources(["pt-br", "de", "en"]) == [
        ("DE", "German"),
        ("EN", "English"),
        ("PT", "Portuguese"),
    ]
    assert deepl_languages.targets(["pt", "de", "en", "en"]) == [
        ("DE", "German"),
        ("EN-GB", "English (British)"),
        ("EN-US", "English (American)"),
        ("PT-BR", "Portuguese (Brazilian)"),
        ("PT-PT", "Portuguese (European)"),
    ]


def test_a_model_of_one_variant_offers_no_other():
    assert deepl_languages.targets(["pt-br"]) == [("PT-BR", "Portuguese (Brazilian)")]


def test_the_code_of_a_source_is_upper_case_without_a_region():
    assert deepl_languages.source_code("de") == "DE"
    assert deepl_languages.source_code("pt-br") == "PT"
