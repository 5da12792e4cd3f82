"""A program: a job is scored on a Ray cluster of two nodes, one of which is lost again and again. Prints what came.

It needs a network of its own: Ray's nodes find each other by the machine's address.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.cluster_utils import Cluster
from tabled import case_in

_MEMORY = 80 << 20
_EACH = 25
_LOSSES = 4
_STARTS = 4
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def loopback_up() -> None:
    """What ``ip link set lo up`` does."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def add(cluster: Cluster, **options: Any) -> Any:
    """A node. Ray itself waits only half a minute for one to start, which a busy machine may need more than."""
    for _ in range(_STARTS - 1):
        running = psutil.Process().children(recursive=True)
        with contextlib.suppress(Exception):
            return cluster.add_node(**options)
        for one in set(psutil.Process().children(recursive=True)) - set(running):
            with contextlib.suppress(psutil.Error):
                one.kill()
    return cluster.add_node(**options)


def main(folder: str) -> None:
    """Score a job twice, whole and with losses, and check each answer."""
    loopback_up()
    case = case_in(Path(folder))
    case.encrypted(each=_EACH)
    node = {"num_cpus": 1, "object_store_memory": _MEMORY}
    cluster = Cluster()
    add(cluster, **node, include_dashboard=False)
    nodes = [add(cluster, **node)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.CRITICAL)
    said = [case.scored(engine="ray").document()]
    case.check(case.decrypted())
    shutil.rmtree(Path(case.job, "answers"))

    lost: list[int] = []

    def lose(done: int, total: int) -> None:
        """Kill the node, which another replaces, after every fifth of the job."""
        if len(lost) < _LOSSES and done >= (len(lost) + 1) * total / 5:
            lost.append(done)
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            nodes.append(add(cluster, **node))

    said.append(case.scored(engine="ray", progress=lose).document())
    case.check(case.decrypted())
    print(json.dumps({"said": said, "lost": lost}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
