"""What every program shares: version, one-line errors, exit codes, progress on a terminal.

Knows terminals and exit codes. Does not know translation.

Exit codes: 0 done, 1 a bug or a broken pipe, 2 the user's mistake (one line on standard error),
130 and 143 interrupted by SIGINT and SIGTERM.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

import mt
from mt.errors import MTError

USER_MISTAKE = 2

# typer carries its own copy of click; this is that copy's root of all usage errors.
_UsageError: Any = typer.BadParameter.__base__

errors = Console(stderr=True, highlight=False, soft_wrap=True)
"""Standard error: progress, notes and mistakes, so that standard output holds results only."""


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
    try:
        code = app(standalone_mode=False)
        if sys.stdout is not None:  # as it is where the shell has closed it
            sys.stdout.flush()
    except MTError as error:
        code = fail(str(error))
    except _UsageError as error:
        code = fail(error.format_message())
    except BrokenPipeError:
        # The reader has gone, as `head` does; Python must not stumble over it again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.filename is None:
            raise
        code = fail(f"{error.filename}: {error.strerror}")
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str) -> int:
    """Say in one line what the user has to mend; returns the exit code for it."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return USER_MISTAKE


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
