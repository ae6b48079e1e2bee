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


def inodes_of(pid):
    """Of the sockets of this process."""
    found = set()
    try:
        fds = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for fd in fds:
        try:
            found.add(
                os.readlink(f"/proc/{pid}/fd/{fd}").removeprefix("socket:[").removesuffix("]")
            )
        except OSError:
            pass
    return found


def owners(pids):
    """Local port -> number of the process that has a connection from there. Reads long tables, so
    it is asked only while there is a cut."""
    inodes = {inode: i for i, pid in enumerate(pids) if pid for inode in inodes_of(pid)}
    found = {}
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            cells = line.split()
            if cells[3] == "01" and cells[9] in inodes:
                found[int(cells[1].split(":")[1], 16)] = inodes[cells[9]]
    return found


class Connection:
    def __init__(self, member, port):
        self.member, self.port = member, port
        self.who = None  # the member that made it; None: a client, or nobody asked yet


class Net:
    def __init__(self, pairs):
        self.pairs = pairs
        self.pids = [0] * len(pairs)
        self.connections = set()
        self.groups = []  # of member numbers; empty: no cut
        self.servers = [None] * len(pairs)
        self.changed = asyncio.Event()  # set and replaced at each change of the groups

    def is_cut(self, c):
        if c.who is None or c.who == c.member or not self.groups:
            return False
        return not any(c.who in g and c.member in g for g in self.groups)

    async def way_is_open(self, c):
        while self.is_cut(c):
            await self.changed.wait()

    async def pump(self, reader, writer, c):
        try:
            while True:
                data = await reader.read(CHUNK)
                await self.way_is_open(c)
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    async def serve(self, member, reader, writer):
        c = Connection(member, writer.get_extra_info("peername")[1])
        if self.groups:
            c.who = owners(self.pids).get(c.port)
        self.connections.add(c)
        up_writer = None
        try:
            await self.way_is_open(c)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.pairs[member][1])
            ways = [
                asyncio.ensure_future(self.pump(reader, up_writer, c)),
                asyncio.ensure_future(self.pump(up_reader, writer, c)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass
        self.connections.discard(c)
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
            at = owners(self.pids) if self.groups else {}
            for c in self.connections:
                c.who = at.get(c.port)
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
