"""Every error a user of the library can cause, drawn once.

Knows what went wrong in the user's words: each message is one line that names the field or
file, the value found and what is allowed. Does not know exit codes or HTTP status codes:
`scripts` turns any `MTError` into exit code 2, `service` turns `InputError` into 400.
A programmer's mistake is an assert or a built-in exception, never one of these.

    MTError
    |-- ConfigError    a recipe or an option
    |-- CorpusError    a text file, with its line where there is one
    |-- BundleError    a model folder
    |-- TrainingError  a run that cannot start, resume or go on
    |-- JobError       a translation of a file that cannot start, resume or go on
    `-- InputError     a text handed in for translation
"""

from __future__ import annotations


class MTError(Exception):
    """Root of all errors that a user can mend; `str(error)` is one line fit to be shown."""


class ConfigError(MTError):
    """A recipe or an option has an unknown name or a value that is not allowed."""


class CorpusError(MTError):
    """A text file is missing, damaged, not UTF-8, or does not match its other side."""


class BundleError(MTError):
    """A model folder is missing, incomplete, damaged, or of a format this version cannot read."""


class TrainingError(MTError):
    """A training run cannot start, resume or continue as asked."""


class JobError(MTError):
    """The translation of a file cannot start, resume or continue as asked."""


class InputError(MTError):
    """A text handed in for translation cannot be accepted."""
