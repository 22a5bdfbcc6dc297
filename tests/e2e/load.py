"""An open load while an app is pushed again and again: load.py PORT RATE PUSHES APP=WASM:TEXT APP=WASM:TEXT COMMAND...

Requests fall due at RATE a second whether those before are answered or not, and are sent over a few kept connections; each
answer is judged as generations.py does, by the certificate of its connection. Meanwhile the first and the second WASM are
pushed by turns, by COMMAND with the file put where it says FILE, and during each push some requests are half sent.

Nothing here is decided by the clock. No request may fail, and:

- what was half sent before a push is answered whole by what the connection's handshake showed, and the connection ends;
- what is sent on an older connection after a push was acknowledged is answered, and the connection ends by that answer;
- what fell due before a push was acknowledged is answered before the next push is asked for.

A connection that ended before it answered anything is asked no more, and its request goes to another one, as RFC 9112, section
9.3.1 has it. This may happen to connections that a push replaces while they are idle, never to others.
"""
import asyncio
import hashlib
import json
import os
import pathlib
import ssl
import sys
import time

import generations
from generations import GENERATION, HANG, POST, ROOT, extension

MANIFEST = "GET /_enclave/manifest HTTP/1.1\r\nHost: a\r\n\r\n"
CONNECTIONS = 16
HELD = int(os.environ.get("HELD", 4))  # requests that are half sent when a push begins; what lets them end first asks for none
WAITING_MOST = 64  # requests that fall due while so many wait do so later: the machine cannot do more


class Connection(generations.Connection):
    """As there, without a thread of its own."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        self.generation = int.from_bytes(extension(der, GENERATION), "big")
        self.root = extension(der, ROOT)
        self.closing = False

    def send(self, text):
        self.writer.write(text.encode())

    async def receive(self):
        """The response, or None: the connection had ended before any of it."""
        try:
            first = await self.reader.readexactly(1)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return None
        head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        body = b""
        if "content-length" in fields:
            body = await self.reader.readexactly(int(fields["content-length"]))
        else:
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        how = fields.get("connection", "")
        self.closing = how == "close"
        return int(head[0].split()[1]), body, how

    def end(self):
        self.writer.transport.abort()


class Load:
    def __init__(self, port, rate, app, versions, command):
        self.port, self.rate, self.app, self.versions, self.command = port, rate, app, versions, command
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.due = asyncio.Queue(WAITING_MOST)
        self.asked = self.acknowledged = 0  # the generation of the newest push
        self.given, self.open = 0, set()  # requests in their order, and those of them that are not answered
        self.late = []
        self.numbers, self.again, self.done = set(), 0, False
        self.progress = asyncio.Condition()

    async def connect(self):
        """A connection whose manifest is known; one that ends meanwhile leads to the next."""
        while True:
            c = Connection(*await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context))
            c.send(MANIFEST)
            answer = await c.receive()
            if answer:
                assert answer[0] == 200, answer
                c.judge_manifest(json.loads(answer[1]))
            if answer and not c.closing:
                return c
            assert c.generation < self.asked, "a connection of the newest generation was ended"
            c.end()

    async def ask(self, c):
        """False: it had ended before it was asked."""
        newest = self.acknowledged
        c.send(POST.format(self.app) + "\r\nping")
        answer = await c.receive()
        if not answer:
            assert c.generation < self.asked, "a connection of the newest generation ended without an answer"
            self.again += 1
            return False
        generations.judge(c, self.app, self.versions, answer)
        assert c.closing or c.generation >= newest, "an older connection goes on"
        self.numbers.add(c.generation)
        return True

    async def client(self):
        c = await self.connect()
        while request := await self.due.get():
            number, due = request
            while not await self.ask(c):
                c.end()
                c = await self.connect()
            self.late.append(time.monotonic() - due)
            async with self.progress:
                self.open.remove(number)
                self.progress.notify_all()
            if c.closing:
                c.end()
                c = await self.connect()
        c.end()

    async def clock(self):
        """Puts requests in the queue as they fall due."""
        begin, given = time.monotonic(), 0
        while not self.done:
            for _ in range(int((time.monotonic() - begin) * self.rate) - given):
                if self.due.full():
                    break
                self.due.put_nowait((self.given, time.monotonic()))
                self.open.add(self.given)
                given += 1
                self.given += 1
            if self.due.full():  # later, then
                begin, given = time.monotonic(), 0
            await asyncio.sleep(0.001)
        for _ in range(CONNECTIONS):
            await self.due.put(None)

    async def until_answered(self, count):
        """The first count requests, which need not have fallen due."""
        async with self.progress:
            await self.progress.wait_for(lambda: self.given >= count and min(self.open, default=count) >= count)

    async def push(self, wasm):
        held = [await self.connect() for _ in range(HELD)]
        for c in held:
            assert c.generation == self.acknowledged
            c.send(MANIFEST + POST.format(self.app))
            assert (await c.receive())[0] == 200  # so the server has read what was sent with it, too
        self.asked += 1
        process = await asyncio.create_subprocess_exec(*[wasm if word == "FILE" else word for word in self.command],
                                                       stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0, "the push failed"
        self.acknowledged += 1
        for c in held:
            c.send("\r\nping")
            answer = await c.receive()
            assert answer, "what was half sent before a push was not answered"
            generations.judge(c, self.app, self.versions, answer)
            assert c.closing, "an older connection goes on"
            c.end()

    async def pushes(self, count, files):
        c = await self.connect()
        self.asked = self.acknowledged = c.generation
        c.end()
        for i in range(count):
            await self.until_answered(self.given + CONNECTIONS)  # all that fell due before, and some by this generation
            await self.push(files[i % len(files)])
        c = await self.connect()
        assert c.generation == self.acknowledged, "another generation than the last push's"
        c.end()
        await self.until_answered(self.given + CONNECTIONS)
        self.done = True


async def main():
    port, rate, pushes = map(int, sys.argv[1:4])
    files = [text.split("=", 1)[1].rsplit(":", 1) for text in sys.argv[4:6]]
    versions = {hashlib.sha256(pathlib.Path(wasm).read_bytes()).digest(): begins.encode() for wasm, begins in files}
    load = Load(port, rate, sys.argv[4].split("=")[0], versions, sys.argv[6:])
    begin = time.monotonic()
    tasks = [asyncio.ensure_future(t) for t in (load.pushes(pushes, [f[0] for f in files]), load.clock(),
                                                *(load.client() for _ in range(CONNECTIONS)))]
    await asyncio.wait_for(asyncio.gather(*tasks), HANG * 10)  # the first that fails ends all
    took, late = time.monotonic() - begin, sorted(load.late)
    assert len(late) == load.given, "a request was lost"
    assert len(load.numbers) >= pushes, f"answers of {len(load.numbers)} generations only"
    print(f"{len(late)} requests by {len(load.numbers)} generations during {pushes} pushes, none failed: {len(late) / took:.0f} a second"
          f" where {rate} were asked for; answered {1000 * late[len(late) // 2]:.0f} ms after they fell due (median),"
          f" {1000 * late[len(late) * 99 // 100]:.0f} ms (99 of 100), {1000 * late[-1]:.0f} ms (the latest);"
          f" {load.again} found their connection ended while it was idle")


if __name__ == "__main__":
    asyncio.run(main())
