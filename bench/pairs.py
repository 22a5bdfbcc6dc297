#!/usr/bin/env python3
"""Compares two builds on a machine that does other things as well: pairs.py BEFORE AFTER [--rounds N] [--only NAME ...]

BEFORE and AFTER are build folders of two checkouts, each with its own apps/, or without: then AFTER's are deployed.
Both servers run at once, each with one worker, and are asked by turns: before, after, after, before. What is compared
is the processor time that a server's threads took for each request, not the time that passed; each pair gives a ratio,
and the median over all pairs is given with an interval that holds the true median with 95 percent. A worker that waits
for work spins, which is time, too: so the client has many requests under way.

bench/drive.c asks over 64 connections or more that stay open, bench/client.c makes handshakes and idle connections. The
second figure of each row is the time that passed, for which the ratio is as good as the machine was quiet.

What a figure needs is deployed when its turn comes: --only with names that need neither JavaScript nor Python begins at
once.
"""

import argparse
import os
import pathlib
import resource
import statistics
import tempfile
import time

from basics import free_port, make_clients, run
from load import Idle, Load
from servers import Enclave

PUSHED = {}  # server -> names of apps


def need(server, name, file):
    """Deploy it, once."""
    if name not in PUSHED.setdefault(server, set()):
        server.push(name, file)
        PUSHED[server].add(name)


# A figure takes a server, and gives processor time and time passed, each for one operation, in microseconds.
def measured(server, count, work):
    before = server.reading()
    work()
    total, _, passed = server.reading().since(before)
    return total / count / 1e3, passed / count * 1e6


class Requests:
    """One request over and over, on connections of its own to each server, which are opened when first used."""

    def __init__(self, clients, count, app, target, method="GET", body=0, connections=64, first=None):
        self.clients, self.count, self.app, self.target = clients, count, app, target
        self.options, self.first, self.loads = (connections, method, body), first, {}

    def __call__(self, server):
        if server not in self.loads:
            need(server, *self.app)
            if self.first:
                path, *sent = self.first
                run("curl", "-sk", "--fail", *sent, f"https://127.0.0.1:{server.port}{path}")
            self.loads[server] = Load(self.clients, server, [self.target], *self.options)
            self.loads[server].ask(self.count)  # what only the first requests take
        return measured(server, self.count, lambda: self.loads[server].ask(self.count))

    def end(self):
        for load in self.loads.values():
            load.end()


def handshakes(clients, count):
    return lambda server: measured(
        server, count, lambda: run(clients / "client", "handshakes", server.port, count, 16, "X25519")
    )


def idle(seconds):
    return lambda server: measured(server, seconds, lambda: time.sleep(seconds))


def idle_connections(clients, count):
    """Bytes for each of them, of a server that has just started."""

    def figure(server):
        need(server, "hello", "hello-c")
        server.stop()
        server.start()
        run(clients / "client", "handshakes", server.port, 100, 16)
        before = server.resident()
        holder = Idle(clients, server, "/hello/", count)
        time.sleep(0.5)
        grown = (server.resident() - before) * 1024 / count
        holder.end()
        return grown, None

    return figure


def start(clients, data, path):
    """Until it has answered once, and stopped; all that it takes of the processor, and the time until the answer."""

    def figure(server):
        for app in (("hello", "hello-c"), ("counter", "counter-c"), ("files", "files-c"), ("echo", "echo")):
            if server.process.poll() is None:
                need(server, *app)
        server.stop()
        if data == "cold":
            run("rm", "-rf", server.work / "cold")
        port = free_port()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        milliseconds = float(run(clients / "client", "boot", port, path, *server.command(port, data)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime) * 1e6, milliseconds * 1e3

    return figure


def interval(ratios):
    """Of the median, with 95 percent, whatever the distribution: the order statistics of a fair coin."""
    ratios, n, k, tail, term = sorted(ratios), len(ratios), 0, 0.0, 0.5 ** len(ratios)
    while tail + term <= 0.025:
        tail, k = tail + term, k + 1
        term *= (n - k + 1) / k
    return ratios[max(k - 1, 0)], ratios[min(n - k, n - 1)]


def compare(label, figure, servers, rounds):
    before, after = servers
    pairs = []
    for i in range(rounds):
        order = servers if i % 2 == 0 else servers[::-1]
        got = {s: figure(s) for s in order}
        pairs.append((got[before], got[after]))
    cells = []
    for which in (0, 1):
        b, a = [p[0][which] for p in pairs], [p[1][which] for p in pairs]
        if None in b:
            cells.append("| | |")
            continue
        ratios = [x / y for x, y in zip(a, b)]
        low, high = interval(ratios)
        cells.append(
            f"| {statistics.median(b):.4g} | {statistics.median(a):.4g} "
            f"| {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
        )
    print(f"| {label} {' '.join(cells)} |", flush=True)


def figures(work, rounds):
    """Label, how it is measured, how many pairs."""
    hello, counter, files, echo = ("hello", "hello-c"), ("counter", "counter-c"), ("files", "files-c"), ("echo", "echo")
    few = max(rounds // 20, 5)
    return [
        ("hello", Requests(work, 500, hello, "/hello/", connections=400), rounds),
        ("C by zig", Requests(work, 400, ("zig", "hello-zig"), "/zig/", connections=16), rounds),
        ("Rust", Requests(work, 400, ("rust", "notes-rust"), "/rust/env/none"), rounds),
        ("Go", Requests(work, 200, ("go", "notes-go"), "/go/env/none"), rounds),
        ("JavaScript", Requests(work, 100, ("javascript", "hello-js"), "/javascript/", connections=16), rounds),
        ("Python", Requests(work, 100, ("python", "notes-python"), "/python/env/none", connections=16), rounds),
        ("handshake", handshakes(work, 32), rounds),
        ("key-value read", Requests(work, 400, counter, "/counter/get", first=["/counter/put/text"]), rounds),
        ("key-value write (synced)", Requests(work, 200, counter, "/counter/"), rounds),
        ("file read, 4 KiB", Requests(work, 400, files, "/files/f", first=["/files/f", "-T", work / "4k"]), rounds),
        (
            "file read, 64 KiB",
            Requests(work, 100, files, "/files/big", first=["/files/big", "-T", work / "64k"]),
            rounds,
        ),
        ("file append, 4 KiB (synced)", Requests(work, 50, files, "/files/grow?append", "POST", 4096), rounds),
        ("body echo, 4 KiB", Requests(work, 400, echo, "/echo/", "POST", 4096), rounds),
        ("body echo, 64 KiB", Requests(work, 100, echo, "/echo/", "POST", 65536), rounds),
        ("a second of idleness", idle(2), few),
        ("an idle connection, bytes", idle_connections(work, 300), 5),
        ("start, empty store", start(work, "cold", "/healthz"), few),
        ("start, store with four apps", start(work, "data", "/hello/"), few),
    ]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("before", type=pathlib.Path)
    arguments.add_argument("after", type=pathlib.Path)
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--only", nargs="*", help="figures whose label has one of these words")
    a = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        make_clients(work)
        for name, size in (("4k", 4096), ("64k", 65536)):
            (work / name).write_bytes(os.urandom(size))
        servers = [
            Enclave(name, work, build.resolve(), (build if (build / "apps").is_dir() else a.after).resolve() / "apps")
            for name, build in (("before", a.before), ("after", a.after))
        ]
        try:
            for s in servers:
                s.start()
            print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n")
            print("| | before, µs of processor | after | ratio | before, µs passed | after | ratio |")
            print("| --- | ---: | ---: | --- | ---: | ---: | --- |")
            for label, figure, rounds in figures(work, a.rounds):
                if not a.only or any(word in label for word in a.only):
                    compare(label, figure, servers, rounds)
                if isinstance(figure, Requests):
                    figure.end()
            print(f"\nload average {os.getloadavg()[0]:.1f}")
        finally:
            for s in servers:
                s.stop()


main()
