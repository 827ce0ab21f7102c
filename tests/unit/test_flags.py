"""Flags by their definitions, on segments put together by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mt.flags
from mt.flags import (
    COPIED,
    EMPTY,
    NUMBERS,
    REPEATED,
    SPLIT,
    TARGET_LANGUAGE,
    TRUNCATED,
    UNKNOWN_CHARACTERS,
    Segment,
    find_flags,
)
from mt.search import Hypothesis
from mt.tokens import UNKNOWN


def part(*ids: int, finished: bool = True) -> tuple[list[int], Hypothesis]:
    return list(ids), Hypothesis((7,), -1.0, -0.5, finished)


def segment(source: str, translation: str, *parts: tuple[list[int], Hypothesis]) -> Segment:
    return Segment(source, translation, parts or (part(5, 6),))


GOOD = segment("Ein Hund läuft.", "A dog runs.")


def flags(*segments: Segment, source: str = "de", target: str = "en") -> list[str]:
    return list(find_flags(segments, source, target))


def test_no_classifier_is_asked_about_a_segment_that_is_not_suspicious():
    assert flags(segment("The dog runs.", "Der dog.")) == [TARGET_LANGUAGE]
    assert flags(segment("The dog runs.", "Der dog.")._replace(suspicious=False)) == []


def test_a_good_translation_has_none():
    assert flags() == []
    assert flags(GOOD) == []


@pytest.mark.parametrize(
    ("bad", "flag"),
    [
        (segment("Ja.", "Yes", part(5, finished=False)), TRUNCATED),
        (segment("Ja.", "Yes yes yes", part(5)), []),  # "Yes" is not "yes"
        (segment("Ja.", "No yes yes yes", part(5)), REPEATED),
        (segment("Sehr, sehr gut.", "a dog a dog a dog"), REPEATED),
        (segment("Na gut.", "well-well-well-well."), REPEATED),
        (segment("Ha!", '"Oh, ha-ha-ha-ha-ha-ha!"'), REPEATED),
        (segment("Tag.", "day-to-day-to-day-to-day-to-day-to."), REPEATED),
        (segment("Ja.", "Hey-yes-yes-yes-yes"), REPEATED),
        (segment("Ha-ha-ha-ha!", "Ha-ha-ha-ha!"), []),
        (segment("Haha!", "Ha-ha-ha! Oh-oh-oh, a well-to-do, up-and-up-to-date man."), []),
        (segment("Am 11.11.11", "On 11-11-11, 2-2-2-22, farewell-well-well-welling"), []),
        (segment("So", "a - a - b -- c ---- d"), []),
        (segment("OK Taxi", "ok  TAXI"), COPIED),
        (segment("Straße OK", "STRASSE OK"), COPIED),
        (segment("Taxi", "Taxi"), []),
        (Segment("OK Taxi", "OK Taxi", ()), []),  # has no token and was not the model's to say
        (segment("Ja.", ""), EMPTY),
        (Segment("X", "", ()), []),
        (segment("Ja 犬", "Yes", part(5, UNKNOWN)), UNKNOWN_CHARACTERS),
        (segment("Ja, nein", "Yes no", part(5), part(6)), SPLIT),
        (segment("The dog runs.", "Der dog."), TARGET_LANGUAGE),
        (segment("Nothing.", "None"), []),  # a single word
        (segment("Ein Hund runs.", "A dog runs."), []),
    ],
)
def test_a_segment_has_the_flag_of_its_defect(bad, flag):
    expected = [flag] if flag else []
    assert flags(bad) == expected
    assert flags(GOOD, bad, GOOD) == expected


def test_a_flag_comes_once_and_several_come_together():
    broken = segment("犬 犬", "", part(UNKNOWN, finished=False), part(6))
    assert flags(broken, broken) == [TRUNCATED, EMPTY, UNKNOWN_CHARACTERS, SPLIT]


def test_the_language_expected_is_that_of_the_source():
    assert flags(segment("The dog runs.", "Le chien court."), source="en", target="fr") == []
    assert flags(segment("Ein Hund läuft.", "Ein dog."), source="en", target="de") == [
        TARGET_LANGUAGE
    ]


def test_every_flag_is_defined_where_it_is_named():
    text = Path(mt.flags.__file__).read_text(encoding="utf-8")
    named = re.findall(r'^([A-Z_]+) = "([a-z_]+)"\n"""', text, re.MULTILINE)
    assert all(name == value.upper() for name, value in named)
    assert [getattr(mt.flags, name) for name, _ in named] == [value for _, value in named]
    assert len(named) == 8


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("Straße 17 seit 1998", "since 1998 in 17 Street"),
        ("1.000 Euro", "1,000 euros"),
        ("1.000.000,50 Euro", "1000000.50 euros"),
        ("1000 Euro", "1 000 euros"),
        ("1'000 Euro", "1\u202f000 euros"),
        ("3,50 Euro", "3.50 euros"),
        ("3,500 kg", "3.500 kg"),
        ("am 12.05.2023", "on 05/12/2023"),
        ("um 15.30 Uhr", "at 15:30"),
        ("Band 3 100 Seiten", "volume 3, 100 pages"),
        ("zwölf Hunde", "12 dogs"),
        ("٣ كلاب", "3 dogs"),
        ("\uff11\uff12 Hunde", "12 dogs"),
        ("5 m²", "5 square metres"),
    ],
)
def test_a_number_that_is_written_otherwise_is_not_lost(source, translation):
    assert flags(segment(source, translation)) == []


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("Straße 17 seit 1998", "in the street for five years"),
        ("Straße 17 seit 1998", "in 17 Street since 1989"),
        ("1.000 Euro", "10,000 euros"),
        ("1000 Euro", "100 euros"),
        ("11 von 11 Hunden", "11 dogs"),
        ("17 Hunde", "117 dogs"),
        ("um 15:00 Uhr", "at 3 pm"),
        ("der 2. Hund", "the second dog"),
        ("5 Hunde", "five dogs"),
        ("05:30", "5:30"),
        ("3,5 Euro", "35 euros"),
        ("3,500 kg", "3500 kg"),
        ("2, 300 Euro teure", "2,300 euros"),
        ("10, 200 oder 3000", "10,3000,200"),
        ("Zimmer 5, 12 Leute", "5.12 people"),
        ("8 Uhr 30", "8.30"),
    ],
)
def test_a_number_that_is_not_in_the_translation_is_flagged(source, translation):
    assert flags(segment(source, translation)) == [NUMBERS]
    assert flags(GOOD, segment(source, translation), GOOD) == [NUMBERS]


def test_an_answer_need_not_repeat_the_numbers_of_its_question():
    question = segment("What is 2 + 2?", "four")
    assert list(find_flags([question], "en", "en", "answer")) == []
