"""What every program shares: version, one-line errors, exit codes, progress on a terminal.

Knows terminals and exit codes. Does not know translation.

Exit codes: 0 done, 1 a bug or a broken pipe, 2 the user's mistake (one line on standard error),
130 and 143 interrupted by SIGINT and SIGTERM.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

import mt
from mt.errors import MTError

USER_MISTAKE = 2

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
"""Of writing to a place that takes no more."""

# typer carries its own copy of click; this is that copy's root of all usage errors.
_UsageError: Any = typer.BadParameter.__base__

errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""Standard error: progress, notes and mistakes, so that standard output holds results only."""


def say(message: str) -> None:
    """Say something on standard error, as it is: what looks like markup is none."""
    errors.print(message, markup=False, emoji=False)


def program(help: str) -> typer.Typer:
    """An empty Typer program with the project's conventions."""
    return typer.Typer(
        help=help,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # rewraps paragraphs to the terminal
    )


def run(app: typer.Typer) -> NoReturn:
    """Run a program and leave with its exit code; a user's mistake is one line, no traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # whatever the locale says, as the files are
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        code = app(standalone_mode=False)
        if sys.stdout is not None:  # as it is where the shell has closed it
            sys.stdout.flush()
    except MTError as error:
        code = fail(str(error))
    except _UsageError as error:
        code = fail(error.format_message() + _found(error))
    except BrokenPipeError:
        forget_standard_output()  # the reader has gone, as `head` does
        code = 1
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        if error.filename is None:  # a file would have been named
            forget_standard_output()
        code = fail(f"{error.filename or 'standard output'}: {error.strerror}")
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def forget_standard_output() -> None:
    """Let Python not stumble at its exit over what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str) -> int:
    """Say in one line what the user has to mend; returns the exit code for it."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return USER_MISTAKE


def _found(error: Exception) -> str:
    """The value of an option, if typer had pydantic check it: its message leaves it out."""
    if not isinstance(error.__cause__, ValidationError):
        return ""
    return f" (found {error.__cause__.errors()[0]['input']!r})"


def _show_version(wanted: bool) -> None:
    if wanted:
        print(mt.__version__)
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
]


def describe(options: type[Any], field: str) -> str:
    """The documentation of an option, from where the option is defined."""
    return " ".join(str(options.model_fields[field].description).split())
