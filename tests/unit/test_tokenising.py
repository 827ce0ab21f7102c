"""Chunks of lines through processes: same ids, same order, and no one waits for the dead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from mt.corpus.tokenising import Chunk, encode_all
from mt.errors import CorpusError
from support.bundles import SOURCES, TARGETS, tiny_tokenizers
from support.commands import ROOT

CHUNKS = [
    Chunk([f"{line} {number}" for line in SOURCES], TARGETS, np.zeros(len(SOURCES), np.bool_))
    for number in range(7)
]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_processes_gives_the_ids_in_the_order_of_the_text(workers):
    tokenizers = tiny_tokenizers()
    found = list(encode_all(iter(CHUNKS), tokenizers, workers))
    assert [id(chunk) for chunk, _ in found] == [id(chunk) for chunk in CHUNKS]
    for chunk, (source, target) in found:
        expected = tokenizers.source.encode(chunk.source), tokenizers.target.encode(chunk.target)
        sides = [[side[n].tolist() for n in range(len(side))] for side in (source, target)]
        assert sides == list(expected)
    assert multiprocessing.active_children() == []


def test_fewer_chunks_than_processes_are_enough():
    assert len(list(encode_all(CHUNKS[:1], tiny_tokenizers(), 3))) == 1


def test_a_process_that_dies_is_an_error_and_ends_the_others():
    def chunks() -> Iterator[Chunk]:
        yield from CHUNKS[:3]
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        yield from CHUNKS[3:]

    with pytest.raises(CorpusError, match=r"^the text cannot be tokenised: [^\n]*code -9[^\n]*$"):
        list(encode_all(chunks(), tiny_tokenizers(), 2))
    assert multiprocessing.active_children() == []


def test_a_text_that_cannot_be_read_on_ends_the_processes():
    def chunks() -> Iterator[Chunk]:
        yield from CHUNKS[:3]
        raise CorpusError("damaged")

    with pytest.raises(CorpusError, match="damaged"):
        list(encode_all(chunks(), tiny_tokenizers(), 2))
    assert multiprocessing.active_children() == []


ABANDONED = """
import os, signal, sys
sys.path.insert(0, "tests")
import numpy as np
from mt.corpus.tokenising import Chunk, encode_all
from support.bundles import tiny_tokenizers
def chunks():
    for _ in range(4):
        yield Chunk(["Hund"], ["dog"], np.zeros(1, np.bool_))
    os.kill(os.getpid(), signal.SIGKILL)
list(encode_all(chunks(), tiny_tokenizers(), 2))
"""


def test_processes_end_when_the_one_that_started_them_is_killed():
    # Each of them holds standard error, which therefore ends only when all of them have.
    ended = subprocess.run(
        [sys.executable, "-c", ABANDONED], cwd=ROOT, stderr=subprocess.PIPE, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    assert b"Traceback" not in ended.stderr


def test_a_process_that_tokenises_need_not_wait_for_torch():
    code = "import sys, mt.corpus.tokenising; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
