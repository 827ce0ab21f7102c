"""mt-serve: serve the bundled models, or others, over HTTP.

Composes settings, models and app, and runs them under uvicorn. Every setting of
`service.settings` can also come from the environment; an option wins.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import math
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mt.config import EngineName
from mt.errors import ConfigError, MTError
from scripts.console import Version, describe, program, run, say
from scripts.options import named
from service.settings import Settings, environment_file, load_settings, misspelt

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from service.texts.catalogue import Catalogue

app = program("Serve translations over HTTP.")

GREETINGS = {
    "de": "Guten Morgen.",
    "en": "Good morning.",
    "es": "Buenos días.",
    "fr": "Bonjour.",
}
"""Something to try, by language."""


def _setting(name: str) -> str:
    default = Settings.model_fields[name].default
    shown = f"  [default: {default}]" if isinstance(default, (str, int)) else ""
    return f"{describe(Settings, name)}  [env: MT_{name.upper()}]{shown}"


def _show_settings(wanted: bool) -> None:
    if wanted:
        print(environment_file(), end="")
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help=_setting("host"))] = None,
    port: Annotated[int | None, typer.Option(help=_setting("port"))] = None,
    model: Annotated[list[Path] | None, typer.Option(metavar="DIR", help=_setting("model"))] = None,
    models: Annotated[Path | None, typer.Option(metavar="DIR", help=_setting("models"))] = None,
    engine: Annotated[EngineName | None, typer.Option(help=_setting("engine"))] = None,
    workers: Annotated[int | None, typer.Option(help=_setting("workers"))] = None,
    settings: Annotated[
        bool,
        typer.Option(
            "--settings",
            callback=_show_settings,
            is_eager=True,
            help="Print all settings, those without an option too, as a file of environment "
            "variables to edit, for `docker run --env-file` or `systemd`.",
        ),
    ] = False,
    version: Version = False,
) -> None:
    """Serve translations over HTTP.

    SIGTERM or Ctrl-C answers what is in flight and leaves.
    """
    options = {
        "host": host,
        "port": port,
        "model": tuple(model) if model else None,
        "models": models,
        "engine": engine,
        "workers": workers,
    }
    given = named(options)
    if model and models:
        raise ConfigError("options: --model names models and --models a folder of all; give one")
    if models:
        given["model"] = ()  # whatever MT_MODEL says
    for warning in misspelt():
        say(warning)
    _serve(load_settings(**given))


def main() -> None:
    run(app)


def server_config(served: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the app."""
    import uvicorn

    from service.app import TRANSLATION_PATHS
    from service.door import door
    from service.refusing import Refusing

    refusing = Refusing(served, TRANSLATION_PATHS)
    return uvicorn.Config(
        served,
        http=door(refusing, refusing.head, settings.deadline_s),
        ws="none",  # there are none, whatever else is installed
        # By itself uvicorn believes any client on this machine.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=",".join(settings.trusted_proxies),
        log_config=None,
        access_log=False,  # the app writes its own line a request, without the text
        timeout_graceful_shutdown=math.ceil(settings.deadline_s),  # whole seconds only
    )


def _serve(settings: Settings) -> None:
    import uvicorn

    from service.app import create_app
    from service.telemetry.logs import configure_logging
    from service.texts.catalogue import load_catalogue
    from service.texts.memory import TranslationMemory

    configure_logging()
    failures: list[MTError] = []

    def leave(error: MTError) -> None:
        failures.append(error)
        server.should_exit = True

    with _listening(settings) as listener:
        # Read here rather than by the app, so that a damaged file is one line and exit code 2.
        with _ended_by_sigterm():
            _check_keys_and_usage(settings)
            memory = TranslationMemory.load(settings.translation_memory)
            catalogue = load_catalogue(settings)
        _warn_if_open(settings)
        served = create_app(
            settings,
            catalogue=catalogue,
            memory=memory,
            on_ready=lambda: _welcome(settings, catalogue, _url(listener)),
            on_failure=leave,
        )
        server = uvicorn.Server(server_config(served, settings))
        try:
            server.run(sockets=[listener])
        except SystemExit:  # how uvicorn says that the app did not start
            if not failures:
                raise
    if failures:
        raise failures[0]


def _check_keys_and_usage(settings: Settings) -> None:
    """Read what the app will read again as it starts.

    Raises:
        ConfigError: a file cannot be used; one line that names it.
    """
    from service.clients.keys import read_keys
    from service.clients.usage import Usage

    async def open_usage() -> None:
        usage = Usage(settings.usage_file)
        await usage.open()
        await usage.close()

    if settings.api_keys_file:
        read_keys(settings.api_keys_file)
    if settings.usage_file:
        asyncio.run(open_usage())


def _welcome(settings: Settings, catalogue: Catalogue, url: str) -> None:
    # What is there now stays to the end: not to look for garbage in it, nor so often, takes a third
    # off the time that this process spends on a request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    default = catalogue.default
    served = ", ".join(model.name for model in catalogue.all)
    q = GREETINGS.get(default.source, "...")
    say(
        f"{served} by {settings.workers} worker{'s' if settings.workers > 1 else ''} on {url}\n"
        f"try: curl {url}/translate -d q='{q}' "
        f"-d source={default.source} -d target={default.target}",
    )


def _warn_if_open(settings: Settings) -> None:
    try:
        closed = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        closed = settings.host == "localhost"
    if not closed and settings.api_keys_file is None:
        say(
            f"--host {settings.host} lets others in, and no keys are asked for; "
            "MT_API_KEYS_FILE names a file of keys, which mt-keys writes",
        )


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Obey SIGTERM until the server does; process 1 of a container would ignore it otherwise."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listening(settings: Settings) -> socket.socket:
    address = settings.host, settings.port
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # So that "::" is every address of this machine, those of IPv4 too.
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(address, family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        # Named after the option, since a socket error carries no file name.
        where = f"--host {settings.host} --port {settings.port}"
        raise OSError(error.errno, f"cannot listen: {error.strerror}", where) from error


def _url(listener: socket.socket) -> str:
    address: Any = listener.getsockname()
    host = f"[{address[0]}]" if listener.family == socket.AF_INET6 else address[0]
    return f"http://{host}:{address[1]}"


if __name__ == "__main__":
    main()
