"""Which language a text is in, by the classifier that comes with py3langid."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mt.text.language import Detection, Detector, has_letters, is_rather


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(("de", "en"))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ein Hund läuft über die Wiese.", "de"),
        ("The dog runs across the meadow.", "en"),
        ("Guten Morgen.", "de"),
        ("Good morning.", "en"),
    ],
)
def test_a_sentence_is_told_by_its_language(detector: Detector, text: str, language: str) -> None:
    first = detector.rank(text)[0]

    assert first.language == language
    assert first.confidence > 90
    # Clear, so it is the source even where it is translated to.
    assert detector.source(text, "en") == detector.source(text, "de") == first


@pytest.mark.parametrize("text", ["Save changes", "Hello world"])
def test_a_text_that_could_be_either_is_not_taken_for_the_target_language(text: str) -> None:
    detector = Detector(("de", "en", "es", "fr"))
    likeliest, other, *_ = detector.rank(text)

    assert likeliest.language == "en"
    assert 50 < likeliest.confidence < 75
    assert other.confidence < likeliest.confidence
    assert detector.source(text, "en") == other
    assert detector.source(text, "de") == detector.source(text, "fr") == likeliest


def test_the_expected_language_counts_double() -> None:
    for expected, other in (("de", "en"), ("en", "de")):
        detector = Detector((expected, other))
        assert detector.rank("Hallo")[0].language == "en"  # by a little
        assert detector.source("Hallo", "fr").language == expected


def test_a_text_without_letters_gives_no_hint(detector: Detector) -> None:
    assert detector.rank("42 %") == [Detection("de", 0)]
    assert detector.source("42 %", "en") == Detection("de", 0)
    assert detector.source("42 %", "de") == Detection("en", 0)


def test_a_text_that_is_certainly_something_else_gives_no_hint(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the classifier's single precision the others of a very long text come to nothing.
    certain = {"de": 0.0, "en": 0.0, "zh": 1.0}
    monkeypatch.setattr("mt.text.language._probabilities", lambda text: certain)

    assert detector.rank("犬") == [Detection("de", 0)]


def test_a_language_that_the_classifier_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown to py3langid: qq, xx"):
        Detector(("xx", "de", "qq"))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The dog runs across the meadow.", "en"),
        ("Ein Hund läuft über die Wiese.", "de"),
        ("THE DOG RUNS ACROSS THE MEADOW.", "en"),
    ],
)
def test_a_sentence_is_rather_in_its_own_language(text: str, language: str) -> None:
    other = {"de": "en", "en": "de"}[language]

    assert is_rather(text, language, expected=other)
    assert not is_rather(text, other, expected=language)


@pytest.mark.parametrize("text", ["Te acabo de enviar un correo electrónico.", "Где собака?"])
def test_a_third_language_is_neither(text: str) -> None:
    assert not is_rather(text, "en", expected="de")
    assert not is_rather(text, "de", expected="en")


def test_what_is_not_clear_is_not_rather_another_language() -> None:
    # Of all languages English is the likeliest here, but German is not far behind.
    assert not is_rather("Was will Tom?", "en", expected="de")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42 %",
        "☃ 🎉",
        "\ud800",
        "12.05.2023",
        "٣٤",
        "½ Ⅳ ²",
        "\u2139\ufe0f",
        "1\ufe0f\u20e3",
        "_",
    ],
)
def test_a_text_without_letters_is_in_no_language(text: str) -> None:
    assert not has_letters(text)
    assert not is_rather(text, "en", expected="de")


@pytest.mark.parametrize("text", ["5 kg", "犬", "二", "ב", "ª", "ß", "\u2139", "\u2139\ufe0f ja"])
def test_a_letter_of_any_script_is_one(text: str) -> None:
    assert has_letters(text)


@pytest.mark.parametrize(
    "text",
    ["https://example.com/a?b=ü", "www.example.com.", "max@example.com", "<a.b+c@d.co.uk>, 5"],
)
def test_the_letters_of_an_address_do_not_count(text: str) -> None:
    assert not has_letters(text)
    assert has_letters(f"{text} ja")


@pytest.mark.parametrize("text", ["a@b", "@max", "www", "http://", "example.com"])
def test_what_is_no_whole_address_has_letters(text: str) -> None:
    assert has_letters(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 200_000 + " @", True),
        ("a@" * 100_000, True),
        ("a@a" + ".a" * 100_000 + "@", False),  # an address and a sign
    ],
)
def test_a_long_text_takes_no_longer_for_looking_like_addresses(text: str, expected: bool) -> None:
    assert has_letters(text) == expected  # quadratic time would be minutes


def test_no_text_is_in_a_language_unknown_to_the_classifier() -> None:
    assert not is_rather("The dog runs.", "xx", expected="de")


def test_no_text_is_rather_in_the_expected_language() -> None:
    assert not is_rather("The dog runs across the meadow.", "en", expected="en")


def test_the_classifier_is_not_loaded_before_it_is_asked() -> None:
    program = (
        "import sys, mt.text.language\n"
        "assert not mt.text.language.is_rather('42', 'en', 'de')\n"
        "assert not {'numpy', 'py3langid'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_everyone_shares_one_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    Detector(("de", "en"))
    monkeypatch.setattr("py3langid.langid.LanguageIdentifier.from_model_file", None)

    assert Detector(("fr", "en")).rank("Où est la gare ?")[0].language == "fr"
    assert is_rather("Where is the station?", "en", expected="fr")
