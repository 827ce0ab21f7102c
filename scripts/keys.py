"""mt-keys: give clients of the service keys, and take them away again.

Composes `service.clients.keys` and `service.clients.usage`. A running service reads the file again
when it has changed, so nothing has to be restarted.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mt.config import parse
from mt.errors import ConfigError
from mt.system.files import write_json
from scripts.console import Version, describe, program, run, say
from scripts.tables import text_table
from service.clients.keys import Key, KeyFile, new_key, read_keys, sha256_of
from service.clients.usage import Counts, read_usage

app = program("Manage the keys that clients of the service need.")

Name = Annotated[str, typer.Argument(metavar="NAME", help=describe(Key, "name"))]
File = Annotated[
    Path, typer.Option(metavar="F", help="Key file, which MT_API_KEYS_FILE names to the service.")
]


@app.callback()
def keys(version: Version = False) -> None:
    """Manage the keys that clients of the service need."""


@app.command()
def add(
    name: Name,
    file: File,
    characters_per_minute: Annotated[
        int | None, typer.Option(help=describe(Key, "characters_per_minute"))
    ] = None,
    character_limit: Annotated[
        int | None, typer.Option(help=describe(Key, "character_limit"))
    ] = None,
) -> None:
    """Make a key and print it, this once; the file, made if need be, holds its hash only."""
    key = new_key()
    limits = {"characters_per_minute": characters_per_minute, "character_limit": character_limit}
    entry = parse(Key, {"name": name, "sha256": sha256_of(key), **limits}, where="options")
    if sys.stdout is None:
        raise ConfigError("options: standard output is closed: nobody would have the key")
    with _changing(file, missing_ok=True) as entries:
        if any(other.name == name for other in entries):
            raise ConfigError(f"{file} has a key of {name} already; remove that one first")
        entries.append(entry)
        print(key, flush=True)  # a key that cannot be told is not kept either
    say(f"the key of {name}; {file} has its hash only, so keep it")


@app.command(name="list")
def list_keys(
    file: File,
    usage: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Show usage too, from what MT_USAGE_FILE names."),
    ] = None,
) -> None:
    """Show names and limits, and what was used under each name."""
    entries = list(read_keys(file).keys)
    header = ["name", "a minute", "limit"]
    rows = [[key.name, *_limits(key)] for key in entries]
    if usage:
        counts = read_usage(usage)
        # Without a key by now, or from a time without keys.
        others = sorted({name for name, _ in counts} - {key.name for key in entries})
        rows += [[name, "no key", "no key"] for name in others]
        header += ["characters", "requests", "characters this month"]
        rows = [[*row, *_used(row[0], counts)] for row in rows]
    print(text_table(header, rows))


@app.command()
def remove(name: Name, file: File) -> None:
    """Take a key away: the service refuses it within seconds. Its usage stays counted."""
    with _changing(file) as entries:
        if all(key.name != name for key in entries):
            raise ConfigError(f"{file} has no key of {name}")
        entries[:] = [key for key in entries if key.name != name]
    say(f"the key of {name} is removed")


def main() -> None:
    run(app)


@contextmanager
def _changing(file: Path, missing_ok: bool = False) -> Iterator[list[Key]]:
    """The keys of a file, written back as they are at the end; others who change it wait."""
    file = file.resolve()  # a link goes on pointing to it
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # the file itself is replaced
        entries = [] if missing_ok and not file.exists() else list(read_keys(file).keys)
        yield entries
        _write(file, KeyFile(keys=tuple(entries)))
    finally:
        os.close(folder)


def _write(file: Path, content: KeyFile) -> None:
    owner = file.stat() if file.exists() else None
    mask = os.umask(0o077)
    try:
        write_json(file, content.model_dump(exclude_none=True))
    finally:
        os.umask(mask)
    if owner:  # whoever could read it still can, the service as its group for example
        if os.geteuid() == 0:
            os.chown(file, owner.st_uid, owner.st_gid)
        file.chmod(stat.S_IMODE(owner.st_mode))


def _limits(key: Key) -> list[str]:
    per_minute = {None: "the server's", 0: "none"}.get(key.characters_per_minute)
    return [
        per_minute or f"{key.characters_per_minute:,}",
        f"{key.character_limit:,}" if key.character_limit else "none",
    ]


def _used(name: str, counts: Counts) -> list[str]:
    month = f"{datetime.now(UTC):%Y-%m}"
    own = {when: count for (whose, when), count in counts.items() if whose == name}
    total = sum(count.characters for count in own.values())
    requests = sum(count.requests for count in own.values())
    this_month = own[month].characters if month in own else 0
    return [f"{total:,}", f"{requests:,}", f"{this_month:,}"]


if __name__ == "__main__":
    main()
