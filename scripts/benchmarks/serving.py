"""The commands of mt-benchmark that measure the service.

Knows their options and how a measurement is put together: a server on some processors, what asks
it on others, sentences. Does not know how anything is measured.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mt.errors import ConfigError
from scripts.benchmarks.records import (
    Record,
    Table,
    load_model,
    new_record,
    note,
    print_record,
)
from scripts.options import OneModel

if TYPE_CHECKING:
    from scripts.benchmarks.server import Server

Source = Annotated[
    Path | None,
    typer.Option(
        metavar="F", help="Sentences to ask for, one a line.  [default: German ones, made up]"
    ),
]
Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Measure the server there.  [default: start mt-serve]"),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "--threads",
        min=1,
        help="Model workers of the server, of one thread each.  [default: one a processor]",
    ),
]
ServerCpus = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Processors of the server, 0,2-3 say.  [default: all]"),
]
ClientCpus = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="Processors of whoever asks it.  [default: all]"),
]
Clients = Annotated[int, typer.Option(min=1, help="Clients that each ask one after the other.")]
Json = Annotated[bool, typer.Option("--json", help="Print the record instead of the table.")]


def service(
    model: OneModel = None,
    source: Source = None,
    clients: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Clients at once; may be given again.  [default: 1, 8 and 32]"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long they ask in each round.")] = 3.0,
    sentences: Annotated[
        int, typer.Option(min=1, help="Sentences that the library translates in each round.")
    ] = 1000,
    concurrent: Annotated[int, typer.Option(min=2, help="Requests sent at once.")] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each kind.")] = 5,
    url: Url = None,
    workers: Workers = None,
    server_cpus: ServerCpus = None,
    client_cpus: ClientCpus = None,
    as_json: Annotated[bool, typer.Option("--json/--table", help="How to print it.")] = True,
) -> None:
    """The service with one client and with many against the library on the same processors.

    Latency and requests a second; requests at once against requests in turn; what a lone request
    costs beyond its translation.
    """
    from scripts.benchmarks.library import Library
    from scripts.benchmarks.service import Effort, Sides, measure_service, service_table

    bench = _Bench(model, source, url, workers, server_cpus, client_cpus)
    effort = Effort(clients or [1, 8, 32], seconds, sentences, concurrent, rounds)
    with (
        bench.running("service") as (record, server),
        closing(Library(model, bench.workers, bench.server_cpus)) as library,
    ):
        sides = Sides(server.url, library, bench.pair, bench.sentences)
        record |= measure_service(sides, effort)
    _print(record, service_table, as_json)


def overload(
    model: OneModel = None,
    source: Source = None,
    times: Annotated[float, typer.Option(min=0.1, help="What to offer, in capacities.")] = 4.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to offer it.")] = 30.0,
    url: Url = None,
    workers: Workers = None,
    server_cpus: ServerCpus = None,
    client_cpus: ClientCpus = None,
    as_json: Json = False,
) -> None:
    """What the service does with several times as many requests as it can answer.

    First what it can answer, with ever more clients; then requests that arrive whatever becomes of
    them, and GET /health every 100 ms.
    """
    from scripts.benchmarks.overload import measure_generator, measure_overload, overload_table

    bench = _Bench(model, source, url, workers, server_cpus, client_cpus)
    with bench.running("overload") as (record, server):
        record |= measure_generator(bench.requests, bench.server_cpus)
        record |= asyncio.run(
            measure_overload(server.url, bench.requests, times=times, seconds=seconds)
        )
    _print(record, overload_table, as_json)


def soak(
    model: OneModel = None,
    source: Source = None,
    requests: Annotated[int, typer.Option(min=1, help="Requests to send.")] = 10_000,
    warm_up: Annotated[
        int, typer.Option(min=0, help="Requests to send before memory is first looked at.")
    ] = 1000,
    clients: Clients = 8,
    url: Url = None,
    pid: Annotated[
        int | None, typer.Option(help="Process of the server at --url, for its memory.")
    ] = None,
    workers: Workers = None,
    server_cpus: ServerCpus = None,
    client_cpus: ClientCpus = None,
    as_json: Json = False,
) -> None:
    """What memory the service has before and after thousands of requests of every kind."""
    from scripts.benchmarks.soak import measure_soak, soak_table

    if (url is None) != (pid is None):
        raise ConfigError("--url and --pid: memory is that of a process, give both or neither")
    bench = _Bench(model, source, url, workers, server_cpus, client_cpus)
    with bench.running("soak") as (record, server):
        first = server.pid or pid
        assert first is not None
        record |= asyncio.run(
            measure_soak(
                server.url,
                first,
                bench.pair,
                bench.sentences,
                requests=requests,
                warm_up=warm_up,
                clients=clients,
            )
        )
    _print(record, soak_table, as_json)


def failure(
    model: OneModel = None,
    source: Source = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long they ask before and after each signal.")
    ] = 3.0,
    clients: Clients = 64,
    workers: Workers = None,
    server_cpus: ServerCpus = None,
    client_cpus: ClientCpus = None,
    as_json: Json = False,
) -> None:
    """What becomes of clients when a model worker is killed, and when the server is told to leave.

    kill -9 of one worker under load, then SIGTERM to the server under load.
    """
    from scripts.benchmarks.failure import failure_table, measure_drain, measure_kill

    bench = _Bench(model, source, None, workers, server_cpus, client_cpus)
    with bench.running("failure") as (record, server):
        load = {"clients": clients, "seconds": seconds}
        record |= load
        for name, measure in (("kill", measure_kill), ("drain", measure_drain)):
            record[name] = asyncio.run(
                measure(server, bench.requests, clients=clients, seconds=seconds)
            )
        record["bars"] = record["kill"].pop("bars") + record["drain"].pop("bars")
    _print(record, failure_table, as_json)


class _Bench:
    """What the options of all these commands come to.

    Raises:
        ConfigError: one of them is not allowed, or goes with another.
    """

    def __init__(
        self,
        model: Path | None,
        source: Path | None,
        url: str | None,
        workers: int | None,
        server_cpus: str | None,
        client_cpus: str | None,
    ) -> None:
        from scripts.benchmarks.sentences import Pair, endless_sentences
        from scripts.benchmarks.server import read_cpus

        self._model, self._source, self._url = model, source, _checked(url)
        self.server_cpus = read_cpus("--server-cpus", server_cpus)
        self.client_cpus = read_cpus("--client-cpus", client_cpus)
        self.workers = workers or len(self.server_cpus)
        self._bundle = load_model(model)
        config = self._bundle.config
        self.pair = Pair(config.source_language, config.target_language)
        self.sentences = endless_sentences(source, self.pair.source)
        self.requests = map(self.pair.request, self.sentences)
        """Of one sentence each."""

    @contextmanager
    def running(self, name: str) -> Iterator[tuple[Record, Server]]:
        """A record to be filled, and a server, while it runs; what is done meanwhile stays on the
        processors of those who ask."""
        from scripts.benchmarks.server import pinned, running

        arguments = [f"--model={self._model}"] if self._model else []
        with (
            running(self._url, arguments, workers=self.workers, cpus=self.server_cpus) as server,
            pinned(self.client_cpus),
            new_record(name, self._bundle, self.workers, source=self._source) as record,
        ):
            record["workers"] = self.workers
            record["server_cpus"] = sorted(self.server_cpus)
            record["client_cpus"] = sorted(self.client_cpus)
            yield record, server


def _checked(url: str | None) -> str | None:
    if url is not None and not re.fullmatch(r"http://[^/]+/?", url):
        raise ConfigError(f"--url {url}: http://HOST:PORT is what can be asked")
    return url


def _print(record: Record, table: Callable[[Record], Table], as_json: bool) -> None:
    from scripts.benchmarks.figures import generator_warning

    print_record(record, table, as_json)
    if (limit := generator_warning(record.get("generator"))) is not None:
        note(limit)
