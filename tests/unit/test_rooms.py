"""What a room says of itself: its opening names every file that is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import mt

HOUSE = Path(mt.__file__).parent
ROOMS = sorted(path.parent for path in HOUSE.glob("*/**/__init__.py"))


@pytest.mark.parametrize("room", ROOMS, ids=[str(room.relative_to(HOUSE)) for room in ROOMS])
def test_the_opening_of_a_room_names_every_file_in_it(room: Path) -> None:
    opening = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    files = {path.stem for path in room.glob("*.py")} - {"__init__"}
    assert files <= set(re.findall(r"\w+", opening or ""))
