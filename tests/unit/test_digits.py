"""Numbers in a text, and the ways to write one, spelled out."""

from __future__ import annotations

import pytest

from mt.text.digits import find_numbers, find_runs, spellings, with_plain_digits, without_separators


def test_runs_are_digits_with_none_beside_them():
    assert find_runs("Am 3. um 10.30 Uhr, A4, 1.000") == ["3", "10", "30", "4", "1", "000"]
    assert find_runs("keine") == []


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        ("de", "1.000 oder 1,000,000", ["1.000", "1,000,000"]),
        ("fr", "15 000 bis 20 000", ["15 000", "20 000"]),
        ("en", "1,000 to 2,000", ["1,000", "2,000"]),
        ("de", "1'000 und 1\u202f000", ["1'000", "1\u202f000"]),
        ("de", "um 10.30 Uhr", ["10", "30"]),  # two digits are no thousands
        ("de", "2013 100", ["2013", "100"]),  # nor is what follows more than three
        ("de", "1.0000", ["1", "0000"]),
        ("de", "0.125", ["0", "125"]),  # nor what follows a zero
        ("xx", "1,000 1 000", ["1", "000", "1 000"]),  # which mark it has is not known
    ],
)
def test_separators_of_thousands_are_within_a_number(language, text, numbers):
    assert [number.text for number in find_numbers(text, language)] == numbers
    assert not any(number.fraction for number in find_numbers(text, language))


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        ("de", "3,50 Euro, 3,500 kg", [("3", "50"), ("3", "500")]),
        ("de", "3.500 kg", [("3500", "")]),
        ("en", "3.500 kg", [("3", "500")]),
        ("en", "3,500 kg", [("3500", "")]),
        ("fr", "0,125, 2", [("0", "125"), ("2", "")]),
        ("de", "1.000,50", [("1000", "50")]),
        ("en", "1,234,567.89.", [("1234567", "89")]),
        ("en", "12.05.2023", [("12", ""), ("05", ""), ("2023", "")]),  # rows are none
        ("en", "10:30.5", [("10", ""), ("30", ""), ("5", "")]),
        ("de", "1,2,3", [("1", ""), ("2", ""), ("3", "")]),
        ("xx", "3,50", [("3", ""), ("50", "")]),
    ],
)
def test_a_fraction_stands_behind_the_mark_of_its_language(language, text, numbers):
    assert [number[1:] for number in find_numbers(text, language)] == numbers


@pytest.mark.parametrize(
    ("source", "text", "target", "found"),
    [
        ("de", "7", "en", ["7"]),
        ("de", "1984", "en", ["1984"]),  # may be a year
        ("de", "40.000", "en", ["40000", "40,000"]),
        ("en", "40,000", "de", ["40000", "40.000"]),
        ("de", "1.000", "en", ["1000", "1,000"]),
        ("de", "1 000", "fr", ["1000", "1 000"]),
        ("de", "1234567", "en", ["1234567", "1,234,567"]),
        ("de", "1.000", "xx", ["1000"]),  # how they are written there is not known
        ("de", "08", "en", ["08", "8"]),
        ("de", "00", "en", ["00", "0"]),
        ("de", "007", "en", ["007"]),
        ("de", "3,50", "en", ["3.50"]),
        ("de", "3,50", "fr", ["3,50"]),
        ("de", "3,50", "xx", ["3,50", "3.50"]),
        ("en", "10.30", "de", ["10,30", "10.30"]),  # may be a time
        ("en", "3.500", "de", ["3,500"]),  # 3.500 would be a thousand times as much
        ("de", "1.000,50", "en", ["1000.50", "1,000.50"]),
    ],
)
def test_a_number_is_spelled_as_its_language_does(source, text, target, found):
    (number,) = find_numbers(text, source)
    assert spellings(number, target) == found


def test_separators_are_taken_out_and_other_digits_are_made_plain():
    assert without_separators("1.000 und 2,5 und 2,500", "de") == "1000 und 2,5 und 2,500"
    assert without_separators("1,000 and 1,000.5 and 2.500", "en") == "1000 and 1000.5 and 2.500"
    assert with_plain_digits("٣ Äpfel") == "3 Äpfel"
