"""Loads, and what they cost a server: processor time for each operation, spinning apart, beside what the client saw.

A cost is a dictionary: `cpu` is microseconds of processor time without spinning, `system` those of them in the kernel,
`spun` the microseconds of spinning, where a server says how much it spins (else they are in the others), `rate`
operations a second, and for requests `p50` and `p99`, milliseconds.
"""

import socket
import ssl
import statistics
import subprocess
import time

from basics import run


def cost(server, count, work):
    """Of count operations, which work() does."""
    spun, before = server.spun(), server.reading()
    seen = work() or {}
    total, system, passed = server.reading().since(before)
    wasted = (0, 0)
    if spun is not None:
        wasted = [max(a - b - r, 0) for a, b, r in zip(server.spun(), spun, server.reading_spun)]
    made = {
        "cpu": max(total - sum(wasted), 0) / count / 1e3,
        "system": max(system - wasted[1], 0) / count / 1e3,
        "rate": count / passed,
    }
    if spun is not None:
        made["spun"] = sum(wasted) / count / 1e3
    return {**made, **seen}


PAUSES = (0, 30e-6, 100e-6)  # seconds between requests; a worker looks for the next up to a fifth of a millisecond


class Failed(SystemExit):
    """A load of which a connection was ended, or a request was not answered by a 2xx."""


class Load:
    """One request, or several by turns, over and over, on connections that stay open from call to call."""

    def __init__(self, clients, server, targets, connections=64, method="GET", body=0):
        self.server = server
        lengths = f"Content-Length: {body}\r\n" if method != "GET" else ""
        files = []
        for i, target in enumerate(targets):
            files.append(clients / f"request-{server.name}-{abs(hash((target, method, body)))}-{i}")
            files[-1].write_text(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n")
        plain = ["--plain"] if server.plain else []
        self.driver = subprocess.Popen(
            [clients / "drive", *plain, str(server.port), str(connections), str(body), *files],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.targets = targets
        self.hear("open")

    def hear(self, what):
        words = self.driver.stdout.readline().split()
        if not words or words[0] != what:
            raise Failed(f"{self.server.name}: {self.targets[0]}: not every request succeeded")
        return [float(w) for w in words[1:]]

    def ask(self, count):
        self.driver.stdin.write(f"{count}\n")
        self.driver.stdin.flush()
        seconds, p50, p99 = self.hear("done")
        return {"rate": count / seconds, "p50": p50, "p99": p99}

    def cost(self, count):
        return cost(self.server, count, lambda: self.ask(count))

    def calmed(self, least, seconds):
        """How many requests take so long, at least `least` of them; what only the first ones take is over then."""
        self.ask(least)
        return max(int(self.ask(least)["rate"] * seconds), least)

    def end(self):
        self.driver.communicate()


def handshakes(clients, server, count, groups):
    return cost(
        server, count, lambda: {"rate": float(run(clients / "client", "handshakes", server.port, count, 16, groups))}
    )


class Idle:
    """Connections that have made one request each, and then nothing."""

    def __init__(self, clients, server, target, count):
        self.holder = subprocess.Popen(
            [clients / "client", "idle", str(server.port), target, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self.holder.stdout.readline() != b"open\n":
            raise SystemExit(f"{server.name}: the idle connections could not be opened")

    def end(self):
        self.holder.communicate(b"")


def price(points):
    """Of one turn: the median slope between points of turns and nanoseconds that are apart; no more than all of the
    time for all of the turns."""
    most = min((time / turns for turns, time in points if turns), default=0)
    apart = max(turns for turns, _ in points) / 5
    slopes = [
        (b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[:i] if abs(b[0] - a[0]) > apart
    ]
    return min(max(statistics.median(slopes), 0), most) if slopes else most


def calibrate(server, target, count, windows=4):
    """Set server.turn_ns and server.reading_spun. One client waits for nothing, for a little, for longer between its
    requests: they differ by nothing but how long the worker spins."""
    server.turn_ns, server.reading_spun = 0, (0, 0)
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port))) as s:
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        spins_and_rest(server, s, request, count, 0)
        server.turn_ns = price(
            [spins_and_rest(server, s, request, count, pause) for _ in range(windows) for pause in PAUSES]
        )
    times = [server.spun() for _ in range(windows + 1)]
    server.reading_spun = [statistics.median(b[i] - a[i] for a, b in zip(times, times[1:])) for i in (0, 1)]


def spins_and_rest(server, connection, request, count, pause):
    """A worker's turns without work while so many requests are answered, and nanoseconds of all but I/O threads'
    spinning."""
    turns, spun, before = server.metrics()["quiet_turns_total"], server.counters()["spun_ns"], server.reading()
    for _ in range(count):
        connection.sendall(request)
        connection.recv(4096)
        if pause:
            time.sleep(pause)
    total = server.reading().since(before)[0]
    spun = server.counters()["spun_ns"] - spun
    return server.metrics()["quiet_turns_total"] - turns, total - spun
