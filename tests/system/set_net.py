"""The network between the members of a replica set, as a program that can cut it: one TCP proxy on
loopback for each member. The set's configuration names the proxies, so members and clients alike
come through here. Who connects is read from the kernel's table of sockets: a member can be cut off
from the others while clients still reach it. Works without root and without network namespaces.

    set_net.py PROXY:MEMBER...      ports, one pair a member

Reads one command a line from its standard input and answers each with a line:

    pids 11 12 13       the processes of the members; who is none of them is a client
    cut 0 12            groups of members: bytes between two groups stand still
    mend                one network again: what stood still goes on, as after lost packets
    listen 0 1          connections to these members are refused from now on, or taken again

Ends when its standard input does."""

import asyncio
import os
import sys
import threading

CHUNK = 65536


def inode_of(port):
    """Of the client's socket whose local port this is."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            cells = line.split()
            if int(cells[1].split(":")[1], 16) == port and cells[3] == "01":
                return cells[9]
    return None


def has_socket(pid, inode):
    try:
        fds = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for fd in fds:
        try:
            if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                return True
        except OSError:
            pass
    return False


class Net:
    def __init__(self, pairs):
        self.pairs = pairs
        self.pids = [0] * len(pairs)
        self.groups = []  # of member numbers; empty: no cut
        self.servers = [None] * len(pairs)
        self.changed = asyncio.Event()  # set and replaced at each change of the groups

    def member_at(self, port):
        """The number of the member that connects from this port. None: a client."""
        inode = inode_of(port)
        for i, pid in enumerate(self.pids):
            if pid and inode is not None and has_socket(pid, inode):
                return i
        return None

    def is_cut(self, a, b):
        if a is None or a == b or not self.groups:
            return False
        return not any(a in g and b in g for g in self.groups)

    async def way_is_open(self, a, b):
        while self.is_cut(a, b):
            await self.changed.wait()

    async def pump(self, reader, writer, a, b):
        try:
            while True:
                data = await reader.read(CHUNK)
                await self.way_is_open(a, b)
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    async def serve(self, member, reader, writer):
        who = self.member_at(writer.get_extra_info("peername")[1])
        await self.way_is_open(who, member)
        up_writer = None
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.pairs[member][1])
            ways = [
                asyncio.ensure_future(self.pump(reader, up_writer, who, member)),
                asyncio.ensure_future(self.pump(up_reader, writer, who, member)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass
        for w in (writer, up_writer):
            if w is not None:
                w.transport.abort()

    async def listen(self, member, on):
        if self.servers[member] is not None:
            self.servers[member].close()
            self.servers[member] = None
        if on:
            self.servers[member] = await asyncio.start_server(
                lambda r, w: self.serve(member, r, w),
                "127.0.0.1",
                self.pairs[member][0],
                backlog=256,
            )

    async def obey(self, line):
        verb, *words = line.split()
        if verb == "pids":
            self.pids = [int(w) for w in words]
        elif verb in ("cut", "mend"):
            self.groups = [{int(c) for c in w} for w in words]
            was, self.changed = self.changed, asyncio.Event()
            was.set()
        elif verb == "listen":
            await self.listen(int(words[0]), words[1] == "1")
        print("ok", flush=True)


async def main(pairs):
    net, loop = Net(pairs), asyncio.get_running_loop()
    for member in range(len(pairs)):
        await net.listen(member, True)
    print("ready", flush=True)
    ended = asyncio.Event()

    def read_commands():
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(net.obey(line), loop).result(10)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read_commands, daemon=True).start()
    await ended.wait()
    os._exit(0)  # connections that stand still keep nobody


if __name__ == "__main__":
    asyncio.run(main([tuple(int(p) for p in a.split(":")) for a in sys.argv[1:]]))
