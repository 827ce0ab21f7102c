"""mt-serve: serve the bundled models, or others, over HTTP.

Composes settings, models and app, and runs them under uvicorn. Every setting of
`service.settings` can also come from the environment; an option wins.
"""

from __future__ import annotations

import gc
import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mt.config import EngineName
from mt.errors import MTError
from scripts.console import Version, describe, errors, program, run
from service.settings import Settings, environment_file, load_settings

if TYPE_CHECKING:
    from service.texts.catalogue import Catalogue

app = program("Serve translations over HTTP.")


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
    given = {name: value for name, value in options.items() if value is not None}
    _serve(load_settings(**given))


def main() -> None:
    run(app)


def _serve(settings: Settings) -> None:
    import uvicorn

    from service.app import TRANSLATION_PATHS, create_app
    from service.door import door
    from service.refusing import Refusing
    from service.telemetry.logs import configure_logging
    from service.texts.catalogue import load_catalogue

    configure_logging()
    failures: list[MTError] = []

    def leave(error: MTError) -> None:
        failures.append(error)
        server.should_exit = True

    with _listening(settings) as listener:
        # Read here rather than by the app, so that a damaged model is one line and exit code 2.
        with _ended_by_sigterm():
            catalogue = load_catalogue(settings)
        _warn_if_open(settings)
        served = create_app(
            settings,
            catalogue=catalogue,
            on_ready=lambda: _welcome(settings, catalogue, _url(listener)),
            on_failure=leave,
        )
        config = uvicorn.Config(
            served,
            http=door(Refusing(served, TRANSLATION_PATHS)),
            log_config=None,
            access_log=False,  # the app writes its own line a request, without the text
            timeout_graceful_shutdown=round(settings.deadline_s),
        )
        server = uvicorn.Server(config)
        try:
            server.run(sockets=[listener])
        except SystemExit:  # how uvicorn says that the app did not start
            if not failures:
                raise
    if failures:
        raise failures[0]


def _welcome(settings: Settings, catalogue: Catalogue, url: str) -> None:
    # What is there now stays to the end: not to look for garbage in it, nor so often, takes a third
    # off the time that this process spends on a request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    default = catalogue.default
    pairs = ", ".join(model.pair for model in catalogue.models)
    errors.print(
        f"{pairs} by {settings.workers} worker{'s' if settings.workers > 1 else ''} on {url}\n"
        f"try: curl {url}/translate -d q='Guten Morgen.' "
        f"-d source={default.source} -d target={default.target}",
        markup=False,
    )


def _warn_if_open(settings: Settings) -> None:
    try:
        closed = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        closed = settings.host == "localhost"
    if not closed and settings.api_keys_file is None:
        errors.print(
            f"--host {settings.host} lets others in, and no keys are asked for; "
            "MT_API_KEYS_FILE names a file of keys, which mt-keys writes",
            markup=False,
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
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
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
