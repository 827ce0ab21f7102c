"""mt-benchmark: what the service costs on top of the library, and what batching gives back.

Starts the real server on loopback and asks it for distinct sentences. Both sides of every
comparison run in turn (A B A B ...) and medians are compared, since machines drift; run it while
nothing else does. Ratios carry over to other machines, seconds do not.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from scripts.console import Version, program, run
from scripts.options import Model, Threads, load_translator

app = program("Measure the service against the library.")

STARTUP_S = 60


@app.command()
def benchmark(
    model: Model = None,
    concurrent: Annotated[int, typer.Option(min=2, help="Requests sent at once.")] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each kind.")] = 5,
    threads: Threads = None,
    version: Version = False,
) -> None:
    """Measure the service against the library.

    Prints one JSON record: seconds for distinct requests in turn and at once, milliseconds for a
    lone request and for the library call it stands for.
    """
    given = {"model": model, "threads": threads}
    arguments = [f"--{name}={value}" for name, value in given.items() if value is not None]
    translator = load_translator(model, threads)
    sentences = _sentences()
    with _server(arguments) as url:
        together = _compare(
            lambda: [_ask(url, text) for text in _take(sentences, concurrent)],
            lambda: _ask_at_once(url, _take(sentences, concurrent)),
            rounds,
        )
        texts = _take(sentences, 20 * rounds)
        alone = _compare(
            _each(texts, lambda text: _ask(url, text)),
            _each(texts, lambda text: translator.translate([text])),
            len(texts),
        )
    record = {
        "requests": concurrent,
        "rounds": rounds,
        "in_turn_s": round(together[0], 3),
        "at_once_s": round(together[1], 3),
        "at_once_to_in_turn": round(together[1] / together[0], 3),
        "lone_request_ms": round(1000 * alone[0], 2),
        "library_call_ms": round(1000 * alone[1], 2),
        "service_costs_ms": round(1000 * (alone[0] - alone[1]), 2),
    }
    print(json.dumps(record, indent=2))


def main() -> None:
    run(app)


def _compare(
    first: Callable[[], Any], second: Callable[[], Any], rounds: int
) -> tuple[float, float]:
    """Median seconds of two actions run in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for action, taken in zip((first, second), times, strict=True):
            started = time.perf_counter()
            action()
            taken.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def _each(texts: Sequence[str], action: Callable[[str], Any]) -> Callable[[], Any]:
    following = iter(texts)
    return lambda: action(next(following))


def _sentences() -> Iterator[str]:
    """Distinct German sentences of like length, in an order that is always the same."""
    subjects = ["Der Hund", "Die Frau", "Ein Kind", "Mein Bruder", "Unser Lehrer", "Das Mädchen"]
    verbs = ["läuft", "wartet", "sitzt", "arbeitet", "schläft", "spielt", "singt", "lacht"]
    times = ["heute", "jeden Tag", "seit gestern", "am Abend", "wieder", "oft", "allein"]
    places = ["im Garten", "auf der Straße", "vor dem Haus", "in der Schule", "am See", "im Wald"]
    choices = list(itertools.product(subjects, verbs, times, places))
    random.Random(1).shuffle(choices)
    return (" ".join(words) + "." for words in choices)


def _take(sentences: Iterator[str], count: int) -> list[str]:
    return list(itertools.islice(sentences, count))


def _ask(url: str, text: str) -> str:
    body = urllib.parse.urlencode({"q": text, "source": "de", "target": "en"}).encode()
    with urllib.request.urlopen(f"{url}/translate", body, timeout=60) as answer:
        return str(json.load(answer)["translatedText"])


def _ask_at_once(url: str, texts: Sequence[str]) -> list[str]:
    with ThreadPoolExecutor(len(texts)) as pool:
        return list(pool.map(lambda text: _ask(url, text), texts))


@contextmanager
def _server(arguments: Sequence[str]) -> Iterator[str]:
    command = [sys.executable, "-m", "scripts.serve", "--host=127.0.0.1", "--port=0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stderr is not None
        url = next(
            (found[0] for line in process.stderr if (found := re.search(r"http://\S+", line))), None
        )
        if url is None:
            raise RuntimeError("the server did not start")
        # Its further log must be read, or the pipe fills up and the server stops.
        with ThreadPoolExecutor(1) as reader:
            reader.submit(process.stderr.read)
            _wait_until_ready(url)
            yield url
            process.send_signal(signal.SIGTERM)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + STARTUP_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
