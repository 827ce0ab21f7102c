"""Translation of whole files: any length, line N in is line N out, resumable.

    rows.py     what a line of input means and how its translation is written
    record.py   how far a job is, and whether it may go on from there
    part.py     the unfinished output, which survives a kill together with its record
    job.py      reads, translates, writes and commits, some hundred lines at a time

Knows a translator by its public names. Does not know torch or a terminal.
"""

from mt.jobs.job import describe_job, run_job, survey
from mt.jobs.part import Part, open_part
from mt.jobs.record import Flagged, Progress
from mt.jobs.rows import LOW_SCORE

__all__ = [
    "LOW_SCORE",
    "Flagged",
    "Part",
    "Progress",
    "describe_job",
    "open_part",
    "run_job",
    "survey",
]
