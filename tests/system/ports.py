"""A TCP port of loopback that is free now and stays so until it is bound: one that the kernel gives no outgoing connection.
As a program: prints one."""

import pathlib
import random
import socket

LOWEST = 10000


def free_port():
    first, last = map(
        int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    )
    candidates = [p for p in range(LOWEST, 65536) if not first <= p <= last]
    for port in random.sample(candidates, min(len(candidates), 1000)):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError(f"no free port beside {first} to {last} (ip_local_port_range)")


if __name__ == "__main__":
    print(free_port())
