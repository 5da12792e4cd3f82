"""A program: a job is scored on a Ray cluster of two nodes, one of which is lost in the middle. Prints what came.

It needs a network of its own: Ray's nodes find each other by the machine's address.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import struct
import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from tabled import EACH, case_in

_MEMORY = 80 << 20
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def loopback_up() -> None:
    """What ``ip link set lo up`` does."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def main(folder: str) -> None:
    """Score a job twice, whole and with a loss, and check each answer."""
    loopback_up()
    case = case_in(Path(folder))
    case.encrypted()
    node = {"num_cpus": 1, "object_store_memory": _MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    nodes = [cluster.add_node(**node)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
    said = [case.scored(engine="ray").document()]
    case.check(case.decrypted())
    shutil.rmtree(Path(case.job, "answers"))

    def lose(done: int, total: int) -> None:
        if nodes and done >= 2 * EACH:
            cluster.remove_node(nodes.pop(), allow_graceful=False)

    said.append(case.scored(engine="ray", progress=lose).document())
    case.check(case.decrypted())
    print(json.dumps({"said": said, "lost": not nodes}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
