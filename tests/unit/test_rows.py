"""What is written for a line of input."""

from __future__ import annotations

import json

import pytest

from mt.config import JobConfig, parse
from mt.errors import ConfigError, InputError
from mt.jobs.rows import LOW_SCORE, find_line_flags, read_row, write_row
from mt.translation import Alternative, Translation

DOG = Translation("A dog", 0.5, frozenset({"split", "copied"}))


def written(line: str, **options) -> str:
    config = JobConfig(**options)
    row = read_row(line, "in.tsv, line 7", config)
    return write_row(7, row, DOG, find_line_flags(DOG, config), config)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "A dog"),
        ({"column": 1}, "Hund\t2\t\tA dog"),
        ({"column": 3}, "Hund\t2\t\tA dog"),
        ({"column": 1, "replace": True}, "A dog\t2\t"),
        ({"column": 2, "replace": True}, "Hund\tA dog\t"),
        ({"column": 3, "replace": True}, "Hund\t2\tA dog"),
    ],
)
def test_the_translation_takes_its_place_before_the_line_end(options, expected, end):
    assert written(f"Hund\t2\t{end}", **options) == expected + end


@pytest.mark.parametrize(("column", "source"), [(None, "a\tb\r"), (1, "a"), (2, "b\r")])
def test_the_column_is_what_is_translated(column, source):
    # Only one carriage return is part of the line end.
    row = read_row("a\tb\r\r\n", "", JobConfig(column=column))
    assert (row.source, row.end) == (source, "\r\n")


@pytest.mark.parametrize(("line", "cells"), [("a\tb\n", 2), ("\n", 1), ("", 1)])
def test_a_row_with_too_few_columns_is_refused(line, cells):
    with pytest.raises(InputError) as caught:
        read_row(line, "in.tsv, line 7", JobConfig(column=3))
    assert str(caught.value) == (
        f"in.tsv, line 7: column 3 is to be translated, but the line has {cells}"
    )


def test_a_json_line_has_all_there_is_to_know():
    assert json.loads(written("Ein Hund\r\n", format="jsonl")) == {
        "line": 7,
        "source": "Ein Hund",
        "translation": "A dog",
        "score": 0.5,
        "flags": ["copied", "split"],
    }


def test_a_json_line_keeps_the_other_columns():
    value = json.loads(written("1\tEin Hund\t2\n", format="jsonl", column=2))
    assert value["source"] == "Ein Hund"
    assert value["columns"] == ["1", "Ein Hund", "2"]


def test_a_json_line_has_the_alternatives_that_there_are():
    config = JobConfig(format="jsonl", n_best=3)
    translation = Translation("A", 0.75, alternatives=(Alternative("The", 0.123456789),))
    line = write_row(1, read_row("Ein", "", config), translation, [], config)
    assert json.loads(line)["alternatives"] == [{"text": "The", "score": 0.123457}]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_json_object_is_one_line_to_any_reader(end):
    source = 'Größe\u2028\u2029\x85\x0b\x0c\x1c"\\'
    line = written(source + end, format="jsonl")
    assert line.endswith("}\n")
    assert len(line.splitlines()) == 1
    assert "Größe" in line
    assert json.loads(line)["source"] == source


@pytest.mark.parametrize(("least", "low"), [(0.0, False), (0.5, False), (0.51, True), (1.0, True)])
def test_a_score_below_the_least_is_flagged(least, low):
    flags = find_line_flags(DOG, JobConfig(min_score=least))
    assert flags == (["copied", LOW_SCORE, "split"] if low else ["copied", "split"])


@pytest.mark.parametrize(
    "options",
    [
        {"replace": True},
        {"replace": True, "column": 1, "format": "jsonl"},
        {"n_best": 2},
        {"column": 0},
        {"min_score": 1.1},
        {"min_score": -0.1},
        {"format": "xml"},
    ],
)
def test_options_that_do_not_go_together_are_refused(options):
    with pytest.raises(ConfigError):
        parse(JobConfig, options, where="options")
