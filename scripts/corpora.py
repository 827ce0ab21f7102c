"""`mt-translate --ray`: many texts, or a big one, translated by a cluster.

Composes a corpus of `mt.jobs.corpora` and a cluster of `mt.jobs.cluster`, and says what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mt.config import JobConfig
from mt.errors import ConfigError
from mt.jobs import FIRST_LINES, Preparation, describe_job
from mt.jobs.corpora import find_texts, open_corpus, would_hold
from mt.jobs.shards import Shard, attempts, find_record
from scripts.console import say
from scripts.progress import show_progress

if TYPE_CHECKING:
    from mt import Translator


def translate_corpus(
    load: Callable[[], Translator],
    job: JobConfig,
    address: str,
    pattern: Path,
    output: Path,
    processes: int | None,
    threads: int,
    resume: bool,
) -> None:
    """Translate all files of a corpus into a folder, where each keeps its name.

    Args:
        pattern: as in `find_texts`.
        processes: as many as the cluster has room for if None.

    Raises:
        ConfigError: the output lies in the corpus, Ray is not installed, or no cluster answers.
        MTError: as `open_corpus` and `translate_shards`.
    """
    if would_hold(str(pattern), output):
        raise ConfigError(
            f"{output} lies in {pattern}, of which all files are translated: choose another folder"
        )
    try:
        from mt.jobs.cluster import connected, translate_shards
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--ray needs the extra [ray], pip install -c constraints.txt '.[ray]' ({error})"
        ) from error
    sources = find_texts(str(pattern))
    settings = describe_job(load(), job)
    with open_corpus(output, settings, resume=resume) as corpus:
        texts = corpus.plan(sources, job)
        shards = [shard for text in texts for shard in text.shards]
        to_do = [shard for shard in shards if find_record(shard) is None]
        if resume:
            say(f"{len(shards) - len(to_do):,} of {len(shards):,} shards are done already")
        with show_progress(None, visible=True) as report:
            done = sum(map(_lines, shards)) - sum(map(_lines, to_do))
            report(done, 0)
            with connected(address) if to_do else nullcontext(0) as cpus:
                processes = min(processes or max(1, cpus // threads), len(to_do))
                for shard in translate_shards(
                    to_do, Preparation(load, job, settings), processes=processes, threads=threads
                ):
                    done += _lines(shard)
                    report(done, 0)
        _summarise(shards)
        corpus.finish(texts)


def _lines(shard: Shard) -> int:
    return shard.last - shard.before


def _summarise(shards: Sequence[Shard]) -> None:
    """Say how many lines have which flag, where to look, and what was done again."""
    lines = 0
    counts: dict[str, int] = {}
    first: dict[str, list[str]] = {}
    for shard in shards:
        lines += _lines(shard)
        record = find_record(shard)
        for flag, flagged in record.flagged.items() if record else ():
            counts[flag] = counts.get(flag, 0) + flagged.lines
            room = FIRST_LINES - len(first.setdefault(flag, []))
            first[flag] += [f"{shard.source}:{number}" for number in islice(flagged.first, room)]
    if counts:
        say(f"lines flagged, of {lines:,}:")
    for flag, count in sorted(counts.items()):
        more = ", ..." if count > len(first[flag]) else ""
        say(f"  {flag} {count:,} ({100 * count / lines:.2f} %): {', '.join(first[flag])}{more}")
    again = [shard for shard in shards if attempts(shard)]
    if again:
        say("done again, since a process died:")
    for shard in again:
        say(f"  {shard}")
