"""Lines to ids, in as many processes as asked for.

Knows tokenizers, chunks of lines and processes. Does not know which pairs train. Chunks come out in
the order they went in, so the number of processes changes nothing but the time.

A process is started anew, not forked: a fork of one that has threads, as torch has, may hang. It
imports the caller's main module, so a program that prepares large text has to keep what it does
behind `if __name__ == "__main__":`.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.corpus.sentences import Sentences
from mt.errors import CorpusError
from mt.tokenizer import Tokenizer, TokenizerPair


class Chunk(NamedTuple):
    """Neighbouring pairs of a text, without white space around them."""

    source: list[str]
    target: list[str]
    repeated: NDArray[np.bool_]
    """[pairs]: both sides equal an earlier pair's."""
    times: NDArray[np.int64] | None = None
    """[pairs]: how often an epoch has each; None is once."""


Encoded: TypeAlias = tuple[Sentences, Sentences]
"""The source and the target sides of a chunk as ids."""


def encode(source: list[str], target: list[str], tokenizers: TokenizerPair) -> Encoded:
    """Tokenise both sides of some pairs in this process."""
    return (
        Sentences.of(tokenizers.source.encode(source)),
        Sentences.of(tokenizers.target.encode(target)),
    )


def encode_all(
    chunks: Iterable[Chunk], tokenizers: TokenizerPair, workers: int
) -> Iterator[tuple[Chunk, Encoded]]:
    """Tokenise chunks one after the other, `workers` of them at a time.

    Args:
        workers: processes besides this one; with 1, this one does it alone.

    Raises:
        CorpusError: a process has died.
    """
    if workers == 1:
        for chunk in chunks:
            yield chunk, encode(chunk.source, chunk.target, tokenizers)
        return
    with ExitStack() as stack:
        # The one at the left has the oldest chunk. No process is sent a chunk before its last one
        # is back, so neither side ever waits for a full pipe to be emptied by the other.
        idle = deque(stack.enter_context(_Worker(tokenizers)) for _ in range(workers))
        busy: deque[tuple[_Worker, Chunk]] = deque()
        for chunk in chunks:
            if not idle:
                worker, done = busy.popleft()
                yield done, worker.receive()
                idle.append(worker)
            worker = idle.popleft()
            worker.send(chunk)
            busy.append((worker, chunk))
        for worker, done in busy:
            yield done, worker.receive()


class _Worker:
    """A process that tokenises what it is sent."""

    def __init__(self, tokenizers: TokenizerPair) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        contents = [tokenizer.content for tokenizer in tokenizers]
        self._process = context.Process(target=_work, args=(theirs, contents), daemon=True)
        self._process.start()
        # Held by the process alone, so that its death, and ours to it, is the end of the stream.
        theirs.close()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.join()

    def send(self, chunk: Chunk) -> None:
        try:
            self._connection.send((chunk.source, chunk.target))
        except OSError as error:
            raise self._death() from error

    def receive(self) -> Encoded:
        try:
            source, target = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        return Sentences(*source), Sentences(*target)

    def _death(self) -> CorpusError:
        self._process.join()
        return CorpusError(
            "the text cannot be tokenised: one of the processes that do it has died (exit code "
            f"{self._process.exitcode}), which lack of memory may be the reason of"
        )


def _work(connection: Connection, contents: list[bytes]) -> None:
    """What a worker does until its stream ends."""
    # Ctrl-C reaches all processes of a terminal; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tokenizers = TokenizerPair(*map(Tokenizer, contents))
    try:
        while True:
            source, target = connection.recv()
            encoded = encode(source, target, tokenizers)
            connection.send([(side.ids, side.starts) for side in encoded])
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
