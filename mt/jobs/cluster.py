"""Shards translated by the processes of a Ray cluster, each of which loads the model once.

Knows Ray Data. Does not know what is in a shard. It is no part of what `mt.jobs` offers by itself,
since Ray comes with the extra [ray] only.

The paths of texts, output and model have to be the same on all machines. A process that dies is
replaced by Ray and its shard begun again, as often as it takes: `translate_shard` says when it is
enough. That Ray may do so without need, or twice at once, does no harm.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext, from_items

from mt.errors import ConfigError, JobError, MTError
from mt.jobs.chunks import Preparation
from mt.jobs.shards import Shard, translate_shard


@contextmanager
def connected(address: str) -> Iterator[int]:
    """Be a driver of a cluster; yields its number of CPUs.

    Args:
        address: "host:port" of its head, "auto" for the one that this machine is part of, "local"
            for one of this machine alone that ends with the context.

    Raises:
        ConfigError: no cluster answers there.
    """
    _refuse_silence(address)
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its notes on actors help nobody here
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"no Ray cluster at {address}: {error}") from error
    try:
        yield int(ray.cluster_resources().get("CPU", 0))
    finally:
        ray.shutdown()


def translate_shards(
    shards: Sequence[Shard], preparation: Preparation, *, processes: int, threads: int
) -> Iterator[Shard]:
    """Have shards translated; each comes out once it is done, whatever their order.

    Args:
        processes: at most so many at once; fewer where the cluster has no room for them.
        threads: CPUs set aside for each.

    Raises:
        JobError: with the message of whatever `translate_shard` raises.
    """
    if not shards:
        return
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # A block is what Ray does again, so each shard is one.
    rows = from_items([shard._asdict() for shard in shards], override_num_blocks=len(shards))
    done = rows.map(
        _translator(preparation),
        compute=ActorPoolStrategy(min_size=1, max_size=processes, max_tasks_in_flight_per_actor=1),
        num_cpus=threads,
    )
    for row in done.iter_rows():
        if row["error"]:
            raise JobError(row["error"])
        yield Shard(**row["shard"])


def _refuse_silence(address: str) -> None:
    """Ray itself would try for many minutes to reach a head that is not there."""
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigError(f"no Ray cluster at {address}: {error}") from error


def _translator(preparation: Preparation) -> Any:
    """The class whose objects Ray keeps, one a process."""

    class ShardTranslator:
        def __init__(self) -> None:
            self._translate: Any = None

        def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
            try:
                # Here, since Ray would start a process anew that cannot be constructed.
                self._translate = self._translate or preparation()
                translate = self._translate
                translate_shard(
                    lambda chunks: ((chunk, translate(chunk)) for chunk in chunks), Shard(**row)
                )
            except MTError as error:
                return {"shard": row, "error": str(error)}
            except OSError as error:
                return {"shard": row, "error": f"{error.filename}: {error.strerror}"}
            return {"shard": row, "error": ""}

    return ShardTranslator
