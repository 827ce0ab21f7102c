"""A chunk's translation depends on the chunk, the model and the options, and so do its flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import pytest

from mt.config import JobConfig, SearchConfig
from mt.errors import InputError, JobError
from mt.jobs.chunks import Chunk, Preparation, cut_chunks, describe_job, translate_chunk
from mt.jobs.record import Flagged
from mt.translation import Translation
from mt.translator import Translator
from support.jobs import Shouter


def test_chunks_end_where_the_text_says_and_know_their_lines() -> None:
    first, second = cut_chunks(["a\n", "b\n", "c"], "in.de", 8, chunk_lines=2)
    assert first == Chunk("in.de", 8, ["a\n", "b\n"], full=True)
    assert second == Chunk("in.de", 10, ["c"], full=False)
    assert (str(first), str(second)) == ("in.de, lines 8-9", "in.de, line 10")


def test_a_chunk_ends_at_a_pause_too() -> None:
    pauses = iter([False, True, True])
    chunks = cut_chunks(["a\n", "b\n", "c\n"], "in.de", 1, 3, lambda: next(pauses))
    assert [*chunks] == [
        Chunk("in.de", 1, ["a\n", "b\n"], full=False),
        Chunk("in.de", 3, ["c\n"], full=False),
    ]


def test_the_flags_of_a_chunk_name_its_lines_in_the_text() -> None:
    lines = ["a\n", "b?\n", "c!?\r\n", "d?\n", "e?"]
    chunk = Chunk("in.de", 101, lines, full=False)
    translated = translate_chunk(Shouter().as_translator(), JobConfig(), chunk)
    assert translated.content == b"A\nB?\nC!?\r\nD?\nE?"
    assert translated.flagged == {
        "question": Flagged(lines=4, first=(102, 103, 104)),
        "loud": Flagged(lines=1, first=(103,)),
    }


@dataclass
class NamedShouter(Shouter):
    """A shouter with all that describes a job."""

    identity: str = "a"
    engine: str = "shout"
    source_language: str = "de"
    target_language: str = "en"
    search_config: SearchConfig = field(default_factory=SearchConfig)
    lexicon_identity: str = "t"
    reranker: None = None

    def plan(self, text: str) -> None:
        if len(text) > 5:
            raise InputError("a text of 6 pieces is too long")

    def translate(self, texts: Sequence[str], *, alternatives: int = 0) -> list[Translation]:
        for text in texts:
            self.plan(text)
        return super().translate(texts, alternatives=alternatives)


def load(identity: str) -> Translator:
    return cast(Translator, NamedShouter(identity=identity))


def test_a_line_that_is_too_long_to_be_taken_whole_is_named() -> None:
    chunk = Chunk("in.de", 101, ["a\n", "much too long\n"], full=False)
    with pytest.raises(InputError, match=r"^in\.de, line 102: a text of 6 pieces is too long$"):
        translate_chunk(load("a"), JobConfig(), chunk)


def test_a_lexical_table_decides_only_where_there_is_a_shortlist() -> None:
    assert "lexicon" not in describe_job(load("a"), JobConfig())
    short = NamedShouter(search_config=SearchConfig(shortlist=5))
    assert describe_job(cast(Translator, short), JobConfig())["lexicon"] == "t"


@pytest.mark.parametrize(
    "other",
    [{"column": 2}, {"format": "jsonl"}, {"min_score": 0.5}, {"column": 2, "replace": True}],
)
def test_a_job_is_another_if_what_is_written_is(other: dict[str, object]) -> None:
    whole = describe_job(load("a"), JobConfig())
    assert describe_job(load("a"), JobConfig(**other)) != whole  # type: ignore[arg-type]
    assert describe_job(load("b"), JobConfig()) != whole


def test_another_process_translates_with_the_same_model_only() -> None:
    config = JobConfig()
    settings = describe_job(load("a"), config)
    chunk = Chunk("in.de", 1, ["a\n"], full=False)
    assert Preparation(partial(load, "a"), config, settings)()(chunk).content == b"A\n"
    with pytest.raises(JobError, match=r"model\.identity = 'a', but another process finds 'b'"):
        Preparation(partial(load, "b"), config, settings)()
