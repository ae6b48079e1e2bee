"""net_delay.py DEVICE DEVICE MS JITTER_MS SEED: hands each frame of one device on to the other, so much
later, in the order in which they came. For kernels without netem."""

import collections
import random
import select
import signal
import socket
import sys
import time

ALL = 3
PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, SOL_PACKET = 15, 23, 263
WHOLE = 70000  # a frame that the kernel did not cut yet, with the note that says so


def open_device(name):
    """With the kernel's own note before each frame: what checksum is still missing, how to cut it."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((name, ALL))
    s.setblocking(False)
    return s


def main(one, two, ms, jitter_ms, seed):
    rng = random.Random(seed)
    ends = {s: collections.deque() for s in (open_device(one), open_device(two))}
    other = dict(zip(ends, reversed(list(ends)), strict=True))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        due = [q[0][0] for q in ends.values() if q]
        wait = max(0, min(due) - time.monotonic()) if due else None
        for s in select.select(list(ends), [], [], wait)[0]:
            try:
                frame = s.recv(WHOLE)
            except OSError:
                continue  # the device went down
            at = time.monotonic() + (ms + rng.random() * jitter_ms) / 1000
            queue = ends[s]
            queue.append((max(at, queue[-1][0]) if queue else at, frame))
        now = time.monotonic()
        for s, queue in ends.items():
            while queue and queue[0][0] <= now:
                try:
                    other[s].send(queue.popleft()[1])
                except OSError:
                    pass  # as on a wire: it is lost


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(float(a) for a in sys.argv[3:5]), int(sys.argv[5]))
