"""What is measured, one function for each subject. All servers of a part take turns in each round.

The names of the samples are what page.py, goals.py and plot.py look for: SUBJECT:SERVER:WHAT, and then the figure.
"""

import dataclasses
import time

from basics import run, say
from component import initial_memory
from load import Failed, Idle, Load, calibrate, cost, handshakes
from servers import Enclave, Nginx, Wasmtime

# label, app, component, target: the same answer of a few bytes in each language
LANGUAGES = [
    ("C, clang", "c", "hello-c", "/"),
    ("C, zig cc", "zig", "hello-zig", "/"),
    ("Rust", "rust", "notes-rust", "/env/none"),
    ("Go", "go", "notes-go", "/env/none"),
    ("JavaScript", "javascript", "hello-js", "/"),
    ("Python", "python", "notes-python", "/env/none"),
]
GROUPS = ["X25519", "X25519MLKEM768"]
AT_ONCE = 16  # requests in languages whose instances are large: 64 of them could take more than guests may


@dataclasses.dataclass
class Sizes:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 1.0  # of each load
    handshakes: int = 1500
    bodies: tuple = (256, 1024)  # MiB
    connections: tuple = (1, 10, 100, 1000, 10000)
    apps: tuple = (1, 10, 100, 1000)
    idle: int = 2000
    idle_seconds: float = 10.0
    languages: tuple = tuple(name for _, name, _, _ in LANGUAGES)
    boots: int = 5


SHORT = Sizes(
    rounds=1,
    seconds=0.05,
    handshakes=32,
    bodies=(1,),
    connections=(1, 10),
    apps=(1, 3),
    idle=20,
    idle_seconds=0.3,
    languages=("c",),
    boots=1,
)


class Bench:
    """What the parts share: where things are, the sizes, the samples, and servers to be stopped in the end."""

    def __init__(self, work, build, sizes, samples, compare):
        self.work, self.build, self.sizes, self.samples, self.compare = work, build, sizes, samples, compare
        self.servers, self.shared, self.measured_spinning = [], None, None

    def started(self, server):
        self.servers.append(server)
        server.start()
        return server

    def enclave(self, name, apps, workers=1):
        """apps: pairs of a name and its component; the first is one that answers at once."""
        server = self.started(Enclave(name, self.work, self.build, workers=workers))
        for app, component in apps:
            server.push(app, component)
        if not self.measured_spinning:  # the same for all: it is the image's
            calibrate(server, f"/{apps[0][0]}/", int(1000 * min(self.sizes.seconds, 1)) + 10)
            self.measured_spinning = server.turn_ns, server.reading_spun
        server.turn_ns, server.reading_spun = self.measured_spinning
        return server

    def common(self):
        """The server of the parts that want no other: with a hello and an echo."""
        if not self.shared:
            self.shared = self.enclave("common", [("c", "hello-c"), ("echo", "echo")])
        return self.shared

    def stop(self, all_of_them=True):
        """Those of one part; in the end all."""
        for server in self.servers:
            if all_of_them or server is not self.shared:
                server.stop()

    def rounds(self, what, most=1000):
        """No more than so many where each takes long."""
        count = min(self.sizes.rounds, most)
        for i in range(count):
            say(f"{what}, round {i + 1} of {count}")
            yield i

    def by_turns(self, what, loads):
        """loads: sample name -> Load. Each for so long as the sizes say, round by round."""
        counts = {name: load.calmed(200, self.sizes.seconds) for name, load in loads.items()}
        for _ in self.rounds(what):
            for name, load in loads.items():
                self.samples.add_all(name, load.cost(counts[name]))


def requests(b):
    """A hello in each language, on this server and on `wasmtime serve`."""
    server, loads = b.enclave("languages", [("c", "hello-c")]), {}
    chosen = [
        (label, name, b.build / f"apps/{component}.wasm", target)
        for label, name, component, target in LANGUAGES
        if name in b.sizes.languages
    ]
    for label, name, file, _ in chosen:
        b.samples.add(f"memory:{name}", initial_memory(file.read_bytes()))
        say(f"deploying {label}")
        b.samples.add(f"deployed:{name}", server.push(name, file.stem))
    for _, name, file, target in chosen:  # connections from before a deployment end with it
        loads[f"request:this:{name}"] = Load(b.work, server, [f"/{name}{target}"], AT_ONCE)
        if b.compare:
            wasmtime = b.started(Wasmtime(f"wasmtime-{name}", b.work, file))
            loads[f"request:wasmtime:{name}"] = Load(b.work, wasmtime, [target], AT_ONCE)
    b.by_turns("languages", loads)
    b.samples.add("resident:languages", server.resident())
    for load in loads.values():
        load.end()
    others(b, server)


def others(b, server):
    """A commit in each request, two workers, nginx by itself and in front of `wasmtime serve`; and the exits."""
    server.push("counter", "counter-c")
    two = b.enclave("two-workers", [("c", "hello-c")], workers=2)
    fixed = b.started(Nginx("nginx", b.work))
    loads = {
        "request:this:counter": Load(b.work, server, ["/counter/"]),
        "request:two:c": Load(b.work, two, ["/c/"]),
        "request:nginx:fixed": Load(b.work, fixed, ["/"]),
        "request:this:again": Load(b.work, server, ["/c/"]),
    }
    if b.compare:
        behind = b.started(Wasmtime("wasmtime-behind", b.work, b.build / "apps/hello-c.wasm"))
        front = Nginx(
            "nginx-front",
            b.work,
            f"proxy_pass http://127.0.0.1:{behind.port}; proxy_http_version 1.1; " 'proxy_set_header Connection "";',
        )
        front.pids = lambda of=front.pids: [*of(), behind.process.pid]
        loads["request:nginx:front"] = Load(b.work, b.started(front), ["/"])
    b.by_turns("other servers", loads)
    exits(
        b,
        {
            "exits:c": (server, loads["request:this:again"]),
            "exits:two": (two, loads["request:two:c"]),
            "exits:counter": (server, loads["request:this:counter"]),
        },
    )
    for load in loads.values():
        load.end()


def exits(b, loads):
    counts = {name: load.calmed(200, b.sizes.seconds * 2) for name, (_, load) in loads.items()}
    for _ in b.rounds("exits", 3):
        for name, (server, load) in loads.items():
            load.ask(200)
            before = server.counters()
            load.ask(counts[name])
            after = server.counters()
            for what in ("exits", "syscalls"):
                b.samples.add(f"{name} {what}", (after[what] - before[what]) / counts[name])


def handshake(b):
    """Full TLS 1.3 handshakes beside nginx's with a small certificate and with a chain as long as this server's."""
    server = b.common()
    small, chain = b.started(Nginx("nginx-small", b.work)), b.started(Nginx("nginx-chain", b.work, like=server))
    kinds = [("this", server, group) for group in GROUPS] + [("small", small, GROUPS[0]), ("chain", chain, GROUPS[0])]
    for _, other, group in kinds:
        handshakes(b.work, other, 50, group)
    for _ in b.rounds("handshakes"):
        for name, other, group in kinds:
            b.samples.add_all(f"handshake:{name}:{group}", handshakes(b.work, other, b.sizes.handshakes, group))


def bodies(b):
    """One body at a time, there and back."""
    server = b.common()
    pairs = [("this", server, "/echo/")]
    if b.compare:
        pairs.append(("wasmtime", b.started(Wasmtime("wasmtime-echo", b.work, b.build / "apps/echo.wasm")), "/"))
    for _ in b.rounds("bodies"):
        for mib in b.sizes.bodies:
            for name, one, target in pairs:
                load = Load(b.work, one, [target], 1, "POST", mib << 20)  # the connection ends with such a body
                made = load.cost(1)
                b.samples.add_all(f"body:{name}:{mib}", {"cpu": made["cpu"] / mib, "rate": made["rate"] * mib})
                load.end()


def connections(b):
    """The same requests over more and more connections, all of which take part."""
    server, counts = b.common(), {}
    for _ in b.rounds("connections", 3):
        for many in b.sizes.connections:
            if b.samples.has(f"connections:{many} cut"):
                continue
            try:
                load = Load(b.work, server, ["/c/"], many)
                counts[many] = counts.get(many) or max(load.calmed(max(200, many * 2), b.sizes.seconds), many * 2)
                load.ask(max(200, many))
                b.samples.add_all(f"connections:{many}", load.cost(counts[many]))
                load.end()
            except Failed:  # it has no room for so many, and cuts those that wait
                b.samples.add(f"connections:{many} cut", server.metrics()["connections_cut_total"])


def apps(b):
    """Requests to each of more and more apps by turns, beside a server that has a few."""
    many = b.enclave("many-apps", [("app-0", "hello-c")])
    there, base = 1, Load(b.work, b.common(), ["/c/"])
    count = base.calmed(200, b.sizes.seconds)
    for size in b.sizes.apps:
        say(f"{size} apps")
        began = time.monotonic()
        for i in range(there, size):
            many.push(f"app-{i}", "hello-c")
        if size > there:
            b.samples.add(f"apps:{size} push", (time.monotonic() - began) / (size - there))
        there = size
        load = Load(b.work, many, [f"/app-{i}/" for i in range(size)])
        load.ask(max(size * 2, 200))
        for _ in b.rounds(f"{size} apps"):
            b.samples.add_all(f"apps:base:{size}", base.cost(count))
            b.samples.add_all(f"apps:many:{size}", load.cost(count))
        b.samples.add(f"apps:{size} resident", many.resident())
        load.end()
    base.end()


def idle(b):
    """What a server takes that has nothing to do, with no connection and with many, and what these hold."""
    server = b.enclave("idle", [("c", "hello-c")])
    run(b.work / "client", "handshakes", server.port, 100, 16)
    server.turn_ns = None  # all of it is spinning, or is not: it counts

    def percent():
        time.sleep(min(b.sizes.idle_seconds / 5, 1))
        made = cost(server, 1, lambda: time.sleep(b.sizes.idle_seconds))
        return made["cpu"] * made["rate"] / 1e4

    for _ in b.rounds("idle", 2):
        b.samples.add("idle:none", percent())
        before = server.resident()
        holder = Idle(b.work, server, "/c/", b.sizes.idle)
        b.samples.add("idle:many", percent())
        b.samples.add("idle:kib", (server.resident() - before) / b.sizes.idle)
        holder.end()
        if not b.samples.has("idle:resident"):
            b.samples.add("idle:resident", before)


def boot(b):
    """From the start of the process to the first byte of an answer, with an empty store and with two apps."""
    server = b.enclave("boot", [("c", "hello-c"), ("counter", "counter-c")])
    server.stop()
    for i in range(b.sizes.boots):
        say(f"boot, round {i + 1} of {b.sizes.boots}")
        run("rm", "-rf", server.work / "cold")
        for data, path in (("cold", "/healthz"), ("data", "/c/")):
            b.samples.add(
                f"boot:{data}",
                float(run(b.work / "client", "boot", server.port, path, *server.command(server.port, data))),
            )


PARTS = {
    "requests": requests,
    "handshakes": handshake,
    "bodies": bodies,
    "connections": connections,
    "apps": apps,
    "idle": idle,
    "boot": boot,
}
