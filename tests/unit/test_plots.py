"""Pictures of lines: what is drawn, and that a file is whole or not there."""

from __future__ import annotations

import math
import struct
import sys

import pytest

from mt.errors import ConfigError
from scripts.plots import DOTS_PER_INCH, PANEL_SIZE, Line, Panel, check_picture, draw, figure

PANELS = [
    Panel("loss", "updates", "nats", [Line("a", [1, 2, 3], [3.0, 2.0, 1.5])]),
    Panel(
        "BLEU", "words", "BLEU", [Line("a", [0, 1], [9, 7]), Line("b", [0, 1], [8, 6])], ["x", "y"]
    ),
    Panel("empty", "updates", "nats", []),
]


@pytest.fixture(autouse=True)
def _matplotlib():
    pytest.importorskip("matplotlib", reason="drawing needs the extra [plot]")


def test_a_figure_holds_the_points_and_labels_it_was_given():
    loss, scores, empty = figure(PANELS).axes
    assert [axes.get_title() for axes in (loss, scores, empty)] == ["loss", "BLEU", "empty"]
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("updates", "nats")
    (line,) = loss.get_lines()
    assert line.get_xydata().tolist() == [[1, 3.0], [2, 2.0], [3, 1.5]]
    assert [line.get_ydata().tolist() for line in scores.get_lines()] == [[9, 7], [8, 6]]
    assert [text.get_text() for text in scores.get_legend().get_texts()] == ["a", "b"]
    assert [text.get_text() for text in scores.get_xticklabels()] == ["x", "y"]
    assert empty.get_legend() is None


def test_a_label_is_shown_as_it_is(tmp_path):
    labels = ["_run", "$x^$", "a$b", "runs/ü"]
    panel = Panel("t", "x", "y", [Line(label, [0, 1], [0, 1]) for label in labels])
    (axes,) = figure([panel]).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == labels
    draw(tmp_path / "labels.png", [panel])  # as formulas they would be refused


@pytest.mark.parametrize(("count", "below"), [(6, False), (7, True)])
def test_many_labels_stand_below_the_axes_and_hide_no_line(count, below):
    panel = Panel("t", "x", "y", [Line(str(number), [0, 1], [0, 1]) for number in range(count)])
    made = figure([panel])
    made.draw_without_rendering()
    (axes,) = made.axes
    assert (axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0) == below


def test_a_picture_is_a_png_file_of_the_size_of_its_panels(tmp_path):
    path = tmp_path / "picture.png"
    draw(path, PANELS)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == tuple(2 * round(DOTS_PER_INCH * inches) for inches in PANEL_SIZE)
    assert [found.name for found in tmp_path.iterdir()] == ["picture.png"]


def test_the_same_lines_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, PANELS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    draw(tmp_path / "b.png", PANELS[:1])
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_missing_value_leaves_a_gap(tmp_path):
    panel = Panel("t", "x", "y", [Line("a", [0, 1, 2], [1.0, math.nan, 2.0])])
    draw(tmp_path / "gap.png", [panel])
    (line,) = figure([panel]).axes[0].get_lines()
    assert math.isnan(line.get_ydata()[1])


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="shape"):
        draw(path, [Panel("t", "x", "y", [Line("a", [0, 1], [0])])])
    assert path.read_bytes() == b"old"


def test_no_state_is_kept_and_no_display_looked_for(tmp_path):
    draw(tmp_path / "picture.png", PANELS)
    assert "matplotlib.pyplot" not in sys.modules


def test_what_can_be_drawn_is_known_beforehand(tmp_path, monkeypatch):
    check_picture(tmp_path / "picture.png")
    check_picture(tmp_path / "PICTURE.PNG")
    with pytest.raises(ConfigError, match=r"curves\.pdf: .*\.png"):
        check_picture(tmp_path / "curves.pdf")
    with pytest.raises(ConfigError, match=r"no folder .*nowhere"):
        check_picture(tmp_path / "nowhere" / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install -c constraints.txt '\.\[plot\]'"):
        check_picture(tmp_path / "picture.png")
