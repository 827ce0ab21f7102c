"""The service against the library, and requests at once against requests in turn.

Knows the real server on loopback, and distinct sentences to ask it for.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.timing import compare

if TYPE_CHECKING:
    from mt import Translator

STARTUP_S = 60


def measure_service(
    translator: Translator, arguments: Sequence[str], *, concurrent: int, rounds: int
) -> dict[str, float]:
    """Seconds for distinct requests in turn and at once, milliseconds for a lone one and for the
    library call it stands for.

    Args:
        translator: the library's side; of the model that the server loads.
        arguments: for the server.
        concurrent: requests sent at once.
        rounds: measurements of each kind.
    """
    sentences = _sentences()
    with _server(arguments) as url:
        in_turn, at_once = compare(
            lambda: [_ask(url, text) for text in _take(sentences, concurrent)],
            lambda: _ask_at_once(url, _take(sentences, concurrent)),
            rounds=rounds,
        )
        texts = _take(sentences, 20 * rounds)
        request, call = compare(
            _each(texts, lambda text: _ask(url, text)),
            _each(texts, lambda text: translator.translate([text])),
            rounds=len(texts),
        )
    return {
        "requests": concurrent,
        "rounds": rounds,
        "in_turn_s": round(in_turn, 3),
        "at_once_s": round(at_once, 3),
        "at_once_to_in_turn": round(at_once / in_turn, 3),
        "lone_request_ms": round(1000 * request, 2),
        "library_call_ms": round(1000 * call, 2),
        "service_costs_ms": round(1000 * (request - call), 2),
    }


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
