"""A Ray cluster of two nodes on this machine, with one CPU and a small object store each.

`python ray_cluster.py` prints the address of its head, and ends with its standard input. Knows how
such a cluster is started. Does not know what runs on it.
"""

from __future__ import annotations

import sys
from typing import Any

STORE_BYTES = 80 << 20


def main() -> None:
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
