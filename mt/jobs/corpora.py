"""A job over many texts: OUTPUT.part while it is unfinished, the folder OUTPUT once it is whole.

Knows which files belong to a corpus, and what is in OUTPUT.part. Does not know who translates.

    OUTPUT.part/job.json    model and options, which have to be the same for the job to go on
    OUTPUT.part/shards/     `mt.jobs.shards`: what is done
    OUTPUT.part/whole/      the shards put together, which becomes OUTPUT
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from mt.config import JobConfig
from mt.differences import first_difference
from mt.errors import JobError
from mt.jobs.part import locked
from mt.jobs.shards import Shard, attempts, join_shards, plan_shards
from mt.system.files import settle, write_json


class Text(NamedTuple):
    """One file of a corpus."""

    name: Path
    """Its path below the corpus, and of its translation below the output."""
    shards: list[Shard]


def find_texts(pattern: str) -> dict[Path, Path]:
    """The files of a corpus: for the name of each the path where it is.

    Args:
        pattern: a folder, of which all files at any depth are meant; a file; or a pattern such as
            "corpus/**/*.de.gz". Names that begin with a dot are passed over, as a shell does.

    Raises:
        JobError: there is none.
    """
    base = Path(pattern)
    if base.is_file():  # whatever it would mean as a pattern
        found = [base]
    elif base.is_dir():
        found = [base / name for name in glob.iglob("**", root_dir=base, recursive=True)]
    else:
        found = [Path(name) for name in glob.iglob(pattern, recursive=True)]
    paths = sorted(path for path in found if path.is_file())
    if not paths:
        raise JobError(f"{pattern}: no such file, and no folder or pattern that has one")
    if not base.is_dir():
        base = Path(os.path.commonpath([path.parent for path in paths]))
    return {path.relative_to(base): path.absolute() for path in paths}


def would_hold(pattern: str, folder: Path) -> bool:
    """Whether a corpus, whose pattern is as in `find_texts`, has the files of a folder too."""
    base = Path(pattern)
    bases = [base] if base.is_dir() else []
    if not base.exists() and "**" in base.parts:
        above = Path(*takewhile(lambda part: part != "**", base.parts))
        bases = [Path(name) for name in glob.iglob(str(above))]
    return any(folder.resolve().is_relative_to(each.resolve()) for each in bases)


@contextmanager
def open_corpus(output: Path, settings: Mapping[str, Any], *, resume: bool) -> Iterator[Corpus]:
    """Begin a job, or go on with an unfinished one if there is one and `resume` says so.

    The body calls `Corpus.finish` at its end; if it does not come to that, OUTPUT.part stays.

    Args:
        output: the finished folder.
        settings: model and options, as JSON has them.

    Raises:
        JobError: there is an unfinished output and `resume` is false, or its settings differ, or
            another process is at it, or the output is there already.
        OSError: the folder cannot be made.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise JobError(f"{output} is there already: remove it, or choose another output")
    folder = output.absolute().with_name(f"{output.name}.part")
    folder.mkdir(exist_ok=True)
    with locked(folder / "lock"):
        record = folder / "job.json"
        if not record.exists():
            write_json(record, dict(settings))
        elif not resume:
            raise JobError(
                f"{folder} holds a job that was not finished: add --resume to go on with it, or "
                "remove it to begin again"
            )
        else:
            _refuse_other_settings(folder, json.loads(record.read_bytes()), settings)
        yield Corpus(output.absolute(), folder)


class Corpus:
    """What `open_corpus` hands out."""

    def __init__(self, output: Path, folder: Path) -> None:
        self._output, self._folder = output, folder

    def plan(self, texts: Mapping[Path, Path], config: JobConfig) -> list[Text]:
        """Read all texts through once, and cut them into shards.

        Raises:
            InputError: a line cannot be read or does not have the column.
        """
        planned = []
        for name, source in texts.items():
            output = self._folder / "shards" / name
            output.parent.mkdir(parents=True, exist_ok=True)
            text = Text(name, plan_shards(source, output, config))
            planned.append(text)
            for shard in text.shards:
                for attempt in attempts(shard):  # of an earlier call: whatever killed that
                    attempt.unlink()
        return planned

    def finish(self, texts: list[Text]) -> None:
        """Put together what is done, and give it its name.

        Raises:
            JobError: a shard is not done, or damaged.
        """
        whole = self._folder / "whole"
        if whole.exists():  # of an earlier call, which did not come to its end
            shutil.rmtree(whole)
        for text in texts:
            path = whole / text.name
            path.parent.mkdir(parents=True, exist_ok=True)
            join_shards(text.shards, path)
        settle(whole, self._output)
        shutil.rmtree(self._folder)


def _refuse_other_settings(folder: Path, before: Any, now: Mapping[str, Any]) -> None:
    if found := first_difference(before, now):
        name, was, now_is = found
        raise JobError(
            f"{folder} was begun with {name} = {was!r}, which is now {now_is!r}: restore it, or "
            "remove the folder to begin again"
        )
