"""Tables as text and as Markdown, letter by letter."""

from __future__ import annotations

from scripts.tables import markdown_table, text_table

HEADER = ["system", "BLEU", ""]
ROWS = [["a", "9.50", ""], ["long name", "10.00", "best"]]


def test_a_text_table_is_aligned_and_its_lines_end_where_their_text_ends():
    assert text_table(HEADER, ROWS) == (
        "system      BLEU\n"
        "a           9.50\n"
        "long name  10.00  best"
    )  # fmt: skip


def test_a_markdown_table_has_a_rule_below_its_header():
    assert markdown_table(HEADER, ROWS) == (
        "| system | BLEU |  |\n"
        "| :--- | ---: | ---: |\n"
        "| a | 9.50 |  |\n"
        "| long name | 10.00 | best |"
    )


def test_a_bar_inside_a_cell_does_not_end_it():
    assert markdown_table(["a|b"], [["c|d"]]) == "| a\\|b |\n| :--- |\n| c\\|d |"


def test_a_table_may_have_no_rows():
    assert text_table(HEADER, []) == "system  BLEU"
