"""Numbers in a text, and the ways to write one, spelled out."""

from __future__ import annotations

import pytest

from mt.digits import find_numbers, find_runs, spellings, with_plain_digits, without_separators


def test_runs_are_digits_with_none_beside_them():
    assert find_runs("Am 3. um 10.30 Uhr, A4, 1.000") == ["3", "10", "30", "4", "1", "000"]
    assert find_runs("keine") == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.000 oder 1,000,000", ["1.000", "1,000,000"]),
        ("15 000 bis 20 000", ["15 000", "20 000"]),
        ("1'000 und 1\u202f000", ["1'000", "1\u202f000"]),
        ("10.30 Uhr, 3,50 Euro", ["10", "30", "3", "50"]),  # two digits are no thousands
        ("2013 100", ["2013", "100"]),  # nor is what follows more than three
        ("1.0000", ["1", "0000"]),
        ("1.000,50", ["1.000", "50"]),
    ],
)
def test_separators_of_thousands_are_within_a_number(text, numbers):
    assert find_numbers(text) == numbers


@pytest.mark.parametrize(
    ("number", "language", "found"),
    [
        ("7", "en", ["7"]),
        ("1984", "en", ["1984"]),  # may be a year
        ("40.000", "en", ["40000", "40,000"]),
        ("40,000", "de", ["40000", "40.000"]),
        ("1.000", "en", ["1000", "1,000"]),
        ("1 000", "fr", ["1000", "1 000"]),
        ("1234567", "en", ["1234567", "1,234,567"]),
        ("1.000", "xx", ["1000"]),  # how they are written there is not known
        ("08", "en", ["08", "8"]),
        ("00", "en", ["00", "0"]),
        ("007", "en", ["007"]),
    ],
)
def test_a_number_is_spelled_as_its_language_does(number, language, found):
    assert spellings(number, language) == found


def test_separators_are_taken_out_and_other_digits_are_made_plain():
    assert without_separators("1.000 und 2,5") == "1000 und 2,5"
    assert with_plain_digits("٣ Äpfel") == "3 Äpfel"
