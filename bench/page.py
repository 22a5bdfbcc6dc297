"""docs/benchmarks.md, from samples."""

from goals import all_goals, sizes_of, times_less, verdict
from parts import GROUPS, LANGUAGES


def form(value, digits=3):
    """So many digits that count."""
    if value is None:
        return "–"
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


class Cells:
    """Cells of tables, from one set of samples."""

    def __init__(self, samples):
        self.samples = samples

    def median(self, name, scale=1.0):
        made = self.samples.median(name)
        return form(None if made is None else made * scale)

    def spread(self, name):
        """Median, and the least and largest of the rounds."""
        if not self.samples.has(name):
            return "–"
        low, high = self.samples.spread(name)
        return f"{form(self.samples.median(name))} ({form(low)} to {form(high)})"

    def ratio(self, name, base):
        return form(self.samples.ratio(name, base))


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def requests(samples):
    c = Cells(samples)
    yield row(
        "component",
        "initial memory, MiB",
        "this server, µs",
        "of them system",
        "spinning, µs",
        "`wasmtime serve`, µs",
        "of them system",
        "times less",
        "requests/s, this",
        "`wasmtime serve`",
        "p99, ms, this",
        "`wasmtime serve`",
    )
    yield row("---", *["---:"] * 11)
    for label, name, _, _ in LANGUAGES:
        this, that = f"request:this:{name}", f"request:wasmtime:{name}"
        if samples.has(f"{this} cpu"):
            yield row(
                label,
                c.median(f"memory:{name}", 2**-20),
                c.spread(f"{this} cpu"),
                c.median(f"{this} system"),
                c.median(f"{this} spun"),
                c.spread(f"{that} cpu"),
                c.median(f"{that} system"),
                form(times_less(samples, name)),
                c.median(f"{this} rate"),
                c.median(f"{that} rate"),
                c.median(f"{this} p99"),
                c.median(f"{that} p99"),
            )


OTHERS = [
    ("this:again", "this server, C hello"),
    ("two:c", "this server with two workers, C hello"),
    ("this:counter", "this server, C counter: each request a synced commit"),
    ("nginx:fixed", "nginx, TLS 1.3, a fixed answer"),
    ("nginx:front", "nginx, TLS 1.3, in front of `wasmtime serve`, both together, C hello"),
]


def others(samples):
    c = Cells(samples)
    yield row("server", "µs of processor", "of them system", "spinning, µs", "requests/s", "p99, ms")
    yield row("---", *["---:"] * 5)
    for name, label in OTHERS:
        of = f"request:{name}"
        if samples.has(f"{of} cpu"):
            yield row(
                label,
                c.spread(f"{of} cpu"),
                c.median(f"{of} system"),
                c.median(f"{of} spun"),
                c.median(f"{of} rate"),
                c.median(f"{of} p99"),
            )


def handshakes(samples):
    c = Cells(samples)
    yield row(
        "server",
        "key agreement",
        "µs of processor",
        "of them system",
        "spinning, µs",
        "against nginx, small",
        "against nginx, same chain",
        "handshakes/s",
    )
    yield row("---", "---", *["---:"] * 6)
    for name, label, groups in (
        ("this", "this server", GROUPS),
        ("small", "nginx, one small certificate", GROUPS[:1]),
        ("chain", "nginx, a chain of the same shape", GROUPS[:1]),
    ):
        for group in groups:
            of, small, chain = (f"handshake:{n}" for n in (f"{name}:{group}", "small:X25519", "chain:X25519"))
            yield row(
                label,
                group,
                c.spread(f"{of} cpu"),
                c.median(f"{of} system"),
                c.median(f"{of} spun"),
                c.ratio(f"{of} cpu", f"{small} cpu"),
                c.ratio(f"{of} cpu", f"{chain} cpu"),
                c.median(f"{of} rate"),
            )


def bodies(samples):
    c = Cells(samples)
    yield row(
        "body",
        "this server, HTTPS: MiB/s",
        "ms of processor for each MiB",
        "`wasmtime serve`, plain: MiB/s",
        "ms of processor for each MiB",
        "rate against it",
    )
    yield row("---", *["---:"] * 5)
    for mib in sizes_of(samples, "body:this:", " cpu"):
        this, that = f"body:this:{mib}", f"body:wasmtime:{mib}"
        yield row(
            f"{mib} MiB",
            c.spread(f"{this} rate"),
            c.median(f"{this} cpu", 1e-3),
            c.spread(f"{that} rate"),
            c.median(f"{that} cpu", 1e-3),
            c.ratio(f"{this} rate", f"{that} rate"),
        )


def connections(samples):
    c = Cells(samples)
    heads = ("µs of processor", "of them system", "spinning, µs", "against 1", "requests/s", "p99, ms")
    yield row("connections", *heads)
    yield row("---:", *["---:"] * 6)
    for size in sizes_of(samples, "connections:", " cpu"):
        of = f"connections:{size}"
        yield row(
            f"{size:,}",
            c.spread(f"{of} cpu"),
            c.median(f"{of} system"),
            c.median(f"{of} spun"),
            c.ratio(f"{of} cpu", "connections:1 cpu"),
            c.median(f"{of} rate"),
            c.median(f"{of} p99"),
        )
    for size in sizes_of(samples, "connections:", " cut"):
        yield row(f"{size:,}", "not all of them are kept", *["–"] * 5)


def apps(samples):
    c = Cells(samples)
    yield row(
        "apps", "µs of processor", "a server with two apps, by turns", "against it", "a push, ms", "resident, MiB"
    )
    yield row("---:", *["---:"] * 5)
    for size in sizes_of(samples, "apps:many:", " cpu"):
        many, base = f"apps:many:{size} cpu", f"apps:base:{size} cpu"
        yield row(
            f"{size:,}",
            c.spread(many),
            c.median(base),
            c.ratio(many, base),
            c.median(f"apps:{size} push", 1e3),
            c.median(f"apps:{size} resident", 1 / 1024),
        )


def rest(samples, idle):
    c = Cells(samples)
    yield row("", "")
    yield row("---", "---:")
    yield row("idle with no connection, percent of a core, spinning included", c.spread("idle:none"))
    yield row(f"idle with {idle:,} idle connections, percent of a core, spinning included", c.spread("idle:many"))
    yield row("resident memory with one C app, MiB", c.median("idle:resident", 1 / 1024))
    yield row(
        "resident memory with the apps of the first table, after their load, MiB",
        c.median("resident:languages", 1 / 1024),
    )
    yield row("growth for each idle connection that has made one request, KiB", c.spread("idle:kib"))
    yield row("process start to the first byte of an answer, empty store, ms", c.spread("boot:cold"))
    yield row("process start to the first byte of an app's answer, store with two apps, ms", c.spread("boot:data"))
    for label, name, _, _ in LANGUAGES:
        if samples.has(f"deployed:{name}"):
            yield row(f"pushed and deployed: {label}, s", c.median(f"deployed:{name}"))


def exits(samples):
    c = Cells(samples)
    yield row("", "enclave exits for each request", "system calls inside")
    yield row("---", "---:", "---:")
    for name, label in (("c", "C hello"), ("two", "C hello, two workers"), ("counter", "C counter")):
        if samples.has(f"exits:{name} exits"):
            yield row(label, *[f"{samples.median(f'exits:{name} {what}'):.5f}" for what in ("exits", "syscalls")])


def goals(samples):
    yield row("goal", "measured", "", "what bounds it", "what would move it")
    yield row("---", "---:", "---", "---", "---")
    for goal, value, shape, bound, at_least, why, how in all_goals(samples):
        yield row(goal, "–" if value is None else shape.format(value), verdict(value, bound, at_least), why, how)


PAGE = """# Benchmarks

Written by `./dev bench` ({rounds} rounds; medians, with the least and largest in parentheses). Do not edit: run it again.

- date: {date}, revision {revision}
- machine: {machine}, {cores} cores, Linux {linux}, load average {load_before} before the run and {load_after} at its end
- this server runs on the emulator, with one worker unless a row says otherwise; nginx {nginx} with a process for each core;
  wasmtime {wasmtime}
- clients run on the same cores (`bench/drive.c`: HTTP/1.1, 64 connections that stay open, unless something else is said;
  `bench/client.c`: handshakes), so requests a second are as much the client's as the server's; **processor time** is the server's alone

Processor time is user and system of all threads of all processes of a server. Spinning, which is looking for work where there is
none, is told apart for this server: its workers count their turns without work, whose price is measured in the same run
(here {turn:.0f} ns), its I/O threads measure theirs. It is not in the other figures; what `wasmtime serve` and nginx spin is, which is little.
This server terminates TLS in each figure, `wasmtime serve` is plain HTTP.

![Processor time for each request](benchmarks.svg)

## Goals

{goals}

## Requests

The same short answer in each language over 16 connections, an instance for each request on both sides. C is
`apps/hello-c`, by clang with no library and by zig's C compiler, whose stack makes the memory large; JavaScript is `apps/hello-js`, the others are `GET /env/none` of
`apps/notes-*`.

{requests}

Other servers and other requests, by turns in one run:

{others}

## Handshakes

Full TLS 1.3 handshakes, ECDSA P-256, nothing resumed, 16 at a time, to the end of each connection. This server sends a leaf
with a quote, and its CA; nginx sends one small certificate, or a leaf of the same size with its CA. Debian's OpenSSL, which
nginx has, does not know X25519MLKEM768.

{handshakes}

## Bodies

One request at a time whose body is sent back as it arrives (`apps/echo`).

{bodies}

## Connections

C hello, each connection with one request under way. With few, the worker has nothing to do most of the time: it spins, and it
and its I/O thread are woken for each request.

{connections}

## Apps

C hello, deployed under so many names, each asked by turns.

{apps}

## Exits

Every EEXIT and AEX that the emulator saw, for each request under load, and system calls inside, which there must be none of.

{exits}

## Idle, memory, start

{rest}

Rings (`queue_bench`):

```text
{queue}
```
"""


def page(samples, about):
    """The whole text; of parts that were not measured, a sentence."""
    tables = {
        name: "\n".join(of(samples))
        for name, of in (
            ("requests", requests),
            ("others", others),
            ("handshakes", handshakes),
            ("bodies", bodies),
            ("connections", connections),
            ("apps", apps),
            ("exits", exits),
            ("goals", goals),
        )
    }
    return PAGE.format(**about, **tables, rest="\n".join(rest(samples, about["idle"])))
