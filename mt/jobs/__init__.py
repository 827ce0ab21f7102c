"""Translation of whole files: any length, line N in is line N out, resumable.

    rows.py     what a line of input means and how its translation is written
    chunks.py   some hundred lines that are translated together
    worker.py   a process that does so
    workers.py  several of them, side by side
    record.py   how far a job is, and whether it may go on from there
    part.py     the unfinished output, which survives a kill together with its record
    job.py      reads, has translated, writes and commits, chunk after chunk
    shards.py   ranges of lines, each translated into a file of its own
    corpora.py  many texts in one job, as shards
    cluster.py  translates shards on many machines, with Ray

Knows a translator by its public names. Does not know torch or a terminal.
"""

from mt.jobs.chunks import CHUNK_LINES, Preparation, Translate, describe_job, one_by_one
from mt.jobs.job import Sink, run_job, survey
from mt.jobs.part import Part, open_part, part_path
from mt.jobs.record import FIRST_LINES, Flagged, Progress
from mt.jobs.rows import LOW_SCORE, check_rows
from mt.jobs.workers import Death, Workers

__all__ = [
    "CHUNK_LINES",
    "FIRST_LINES",
    "LOW_SCORE",
    "Death",
    "Flagged",
    "Part",
    "Preparation",
    "Progress",
    "Sink",
    "Translate",
    "Workers",
    "check_rows",
    "describe_job",
    "one_by_one",
    "open_part",
    "part_path",
    "run_job",
    "survey",
]
