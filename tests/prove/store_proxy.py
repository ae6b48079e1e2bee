"""Stands between roompay and its store: passes messages of MongoDB's protocol on, and at times drops a request, drops an answer, delays, or resets.

A replica set tells its clients where its member listens, and they go there. The answers that pass say that it listens here.

It reads what it passes. Every insert into a collection that decides about money must ask for {w: majority, j: true}, or wait with a later one of the same connection that does; and every
command that reads or writes one must be of a kind that we know: what does not is kept in `wrong`."""

import asyncio
import random
import struct
import threading

import bson

DECIDES = {"ledger", "payments", "replay", "open", "outbox", "deliveries", "meta"}
READS = {
    "aggregate",  # which tids stand twice, where the unique index cannot be made
    "find",
    "getMore",
    "hello",
    "isMaster",
    "ismaster",
    "ping",
    "endSessions",
    "listCollections",
    "killCursors",
}
INDEXES = {"createIndexes", "dropIndexes"}  # roompayctl migrate, and the first start
WRITES = {"insert", "update", "delete"}
# What is lost of these is found and done again: doc/ledger.md, section 5.
MAY_BE_LOST = {("delete", "open")}
# An insert may wait for the majority with a later one of the same connection (doc/ledger.md, section
# 1): with the last of its request, or of a gatherer's round. No round has so many commands.
WAIT_MOST = 16


class StoreProxy:
    def __init__(self, target_port, seed=1, shares=None):
        """shares: fault -> share of the messages that meet it: drop_request, drop_answer, delay, reset."""
        self.target_port, self.random = target_port, random.Random(seed)
        self.shares = shares or {}
        self.inserts, self.waited, self.faults, self.wrong = 0, 0, 0, []
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.port = self.server.sockets[0].getsockname()[1]
        self.theirs, self.ours = (f"127.0.0.1:{p}".encode() for p in (self.target_port, self.port))
        assert len(self.theirs) == len(self.ours), (
            "an address of another length would need another message"
        )
        self.ready.set()
        self.loop.run_forever()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    # -- what is asked

    def _look(self, message, waiting):
        """The command's name; None: not OP_MSG. waiting: what this connection has put that still
        waits for the majority."""
        if struct.unpack_from("<i", message, 12)[0] != 2013 or message[20] != 0:
            return None
        size = struct.unpack_from("<i", message, 21)[0]
        command = bson.decode(message[21 : 21 + size])
        name = next(iter(command))
        self._check(name, command, waiting)
        return name

    def _check(self, name, command, waiting):
        if name not in READS | WRITES | INDEXES:
            self.wrong.append(f"a command that nobody told of: {name}")
        concern = command.get("writeConcern", {})
        if name in WRITES and command[name] in DECIDES:
            self.inserts += name == "insert"
            is_durable = concern.get("w") == "majority" and concern.get("j") is True
            if name != "insert" and waiting:
                self.wrong.append(f"{name} of {command[name]} while these wait: {waiting}")
            if is_durable:
                waiting.clear()
            elif name == "insert":
                waiting.append(command[name])
                self.waited += 1
                if len(waiting) > WAIT_MOST:
                    self.wrong.append(f"no insert waits for the majority: {waiting}")
                    waiting.clear()
            elif (name, command[name]) not in MAY_BE_LOST:
                self.wrong.append(f"{name} into {command[name]} with {concern}")
        if (
            name == "find"
            and command[name] in DECIDES
            and command.get("readConcern", {}).get("level") != "majority"
        ):
            self.wrong.append(f"find in {command[name]} with {command.get('readConcern')}")

    # -- passing on

    def _rolls(self, fault):
        if self.random.random() >= self.shares.get(fault, 0):
            return False
        self.faults += 1
        return True

    async def _message(self, reader):
        head = await reader.readexactly(4)
        return head + await reader.readexactly(struct.unpack("<i", head)[0] - 4)

    async def _pass(self, reader, writer, is_request, close):
        waiting = []
        try:
            while True:
                message = await self._message(reader)
                name = self._look(message, waiting) if is_request else None
                if name in ("hello", "isMaster", "ismaster"):
                    pass
                elif self._rolls("reset"):
                    break
                elif self._rolls("drop_request" if is_request else "drop_answer"):
                    continue
                elif self._rolls("delay"):
                    await asyncio.sleep(self.random.uniform(0.01, 0.4))
                writer.write(message if is_request else message.replace(self.theirs, self.ours))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            close()

    async def _serve(self, reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return

        def close():
            for w in (writer, up_writer):
                if not w.is_closing():
                    w.transport.abort()

        await asyncio.gather(
            self._pass(reader, up_writer, True, close), self._pass(up_reader, writer, False, close)
        )
