"""Language detection between two languages, by the classifier that comes with py3langid."""

from __future__ import annotations

import pytest

from service.languages import Detection, Detector


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
    found = detector.detect(text)

    assert found.language == language
    assert found.confidence > 90


def test_a_word_that_could_be_either_counts_as_the_expected_language(detector: Detector) -> None:
    found = detector.detect("Hallo")

    assert found.language == "de"
    assert 0 < found.confidence < 50  # which it only may be: English is the likelier


def test_a_text_without_letters_gives_no_hint(detector: Detector) -> None:
    assert detector.detect("42 %") == Detection("de", 0)
