"""mt-serve: serve the bundled model, or another, over HTTP.

Composes settings, model and app, and runs them under uvicorn. Every setting of
`service.settings` can also come from the environment; an option wins.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from mt.config import EngineName
from scripts.console import Version, describe, errors, program, run
from scripts.options import OneModel, load_translator
from service.settings import Settings, load_settings

app = program("Serve translations over HTTP.")


def _setting(name: str) -> str:
    default = Settings.model_fields[name].default
    shown = "" if default is None else f"  [default: {default}]"
    return f"{describe(Settings, name)}  [env: MT_{name.upper()}]{shown}"


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help=_setting("host"))] = None,
    port: Annotated[int | None, typer.Option(help=_setting("port"))] = None,
    model: OneModel = None,
    engine: Annotated[EngineName | None, typer.Option(help=_setting("engine"))] = None,
    threads: Annotated[int | None, typer.Option(help=_setting("threads"))] = None,
    version: Version = False,
) -> None:
    """Serve translations over HTTP.

    SIGTERM or Ctrl-C answers what is in flight and leaves.
    """
    options = {"host": host, "port": port, "model": model, "engine": engine, "threads": threads}
    given = {name: value for name, value in options.items() if value is not None}
    _serve(load_settings(**given))


def main() -> None:
    run(app)


def _serve(settings: Settings) -> None:
    import uvicorn

    from service.app import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with _listening(settings) as listener:
        errors.print(f"loading {settings.model or 'the bundled model'} ...", markup=False)
        # Loaded here rather than by the app, so that a damaged model is one line and exit code 2.
        with _ended_by_sigterm():
            translator = load_translator(settings.model, settings.threads, settings.engine)
        url = _url(listener)
        errors.print(
            f"{translator.name} translates {translator.source_language} to "
            f"{translator.target_language} by {translator.engine} on {url}\n"
            f"try: curl {url}/translate -d q='Guten Morgen.' "
            f"-d source={translator.source_language} -d target={translator.target_language}",
            markup=False,
        )
        config = uvicorn.Config(
            create_app(settings, translator),
            log_config=None,
            access_log=False,  # the app writes its own line a request, without the text
            timeout_graceful_shutdown=round(settings.deadline_s) + 1,
        )
        uvicorn.Server(config).run(sockets=[listener])


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
