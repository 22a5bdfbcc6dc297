"""The goals, each with its figure from the samples, what bounds it, and what would move it."""

import re

from parts import LANGUAGES


def times_less(samples, name):
    """How many times less processor time than `wasmtime serve`, by turns."""
    return samples.ratio(f"request:wasmtime:{name} cpu", f"request:this:{name} cpu")


def growth(samples, name, base):
    """Percent."""
    ratio = samples.ratio(name, base)
    return None if ratio is None else (ratio - 1) * 100


def sizes_of(samples, prefix, suffix):
    """Those that were measured under this prefix."""
    return sorted(
        int(name[len(prefix) : -len(suffix)])
        for name in samples.values
        if name.startswith(prefix) and name.endswith(suffix)
    )


def language_goals(samples):
    for label, name, _, _ in LANGUAGES:
        bound, move = BOUNDS[name]
        yield (
            f"a request in {label}: at least 4 times less than `wasmtime serve`",
            times_less(samples, name),
            "{:.1f} times",
            4,
            True,
            bound,
            move,
        )


def boundary_goals(samples):
    yield (
        "exits per request under load below 0.01",
        samples.median("exits:c exits"),
        "{:.4f}",
        0.01,
        False,
        *BOUNDS["exits"],
    )
    ratio = samples.ratio("handshake:this:X25519 cpu", "handshake:chain:X25519 cpu")
    yield ("a handshake: at most 1.15 of nginx with such a chain", ratio, "{:.2f}", 1.15, False, *BOUNDS["handshake"])


def growth_goals(samples):
    for size in sizes_of(samples, "connections:", " cut"):
        yield (
            f"a request grows by less than 20 % from 1 to {size:,} connections",
            float("inf"),
            "not all are kept",
            20,
            False,
            "the connections' part of the heap (docs/memory.md): beyond it those that wait are cut",
            "less memory for each",
        )
    most = max(sizes_of(samples, "connections:", " cpu"), default=None)
    if most:
        grown = growth(samples, f"connections:{most} cpu", "connections:1 cpu")
        yield (
            f"a request grows by less than 20 % from 1 to {most:,} connections",
            grown,
            "{:+.0f} %",
            20,
            False,
            *BOUNDS["connections"],
        )
        if samples.has("connections:100 cpu") and most > 100:
            grown = growth(samples, f"connections:{most} cpu", "connections:100 cpu")
            yield (
                f"the same from 100, where the worker always has work, to {most:,}",
                grown,
                "{:+.0f} %",
                20,
                False,
                *BOUNDS["connections"],
            )
    most = max(sizes_of(samples, "apps:many:", " cpu"), default=None)
    if most:
        grown = growth(samples, f"apps:many:{most} cpu", f"apps:base:{most} cpu")
        yield (
            f"a request grows by less than 20 % from 1 to {most:,} apps",
            grown,
            "{:+.0f} %",
            20,
            False,
            *BOUNDS["apps"],
        )


def other_goals(samples):
    most = max(sizes_of(samples, "body:this:", " rate"), default=None)
    if most:
        yield (
            f"{most} MiB through the echo as fast as `wasmtime serve`, which is plain",
            samples.ratio(f"body:this:{most} rate", f"body:wasmtime:{most} rate"),
            "{:.2f} of its rate",
            1,
            True,
            *BOUNDS["body"],
        )
    yield (
        "idle with no connection: at most 5 % of a core",
        samples.median("idle:none"),
        "{:.1f} %",
        5,
        False,
        *BOUNDS["idle"],
    )
    yield (
        "an idle connection holds less than 16 KiB",
        samples.median("idle:kib"),
        "{:.1f} KiB",
        16,
        False,
        *BOUNDS["held"],
    )
    yield (
        "JavaScript answers within 5 s of its push",
        samples.median("deployed:javascript"),
        "{:.1f} s",
        5,
        False,
        *BOUNDS["deployed"],
    )


def all_goals(samples):
    """(goal, figure or None, its form, bound, whether the figure must reach it or stay below, why, how) of each"""
    for of in (language_goals, boundary_goals, growth_goals, other_goals):
        for *goal, why, how in of(samples):
            yield *goal, told(samples, why), how


def verdict(value, bound, at_least):
    if value is None:
        return "not measured"
    return "**met**" if (value >= bound if at_least else value <= bound) else "**not met**"


def told(samples, text):
    """The text with what was measured: {name} is the median of that sample."""
    return re.sub(
        r"\{([^}]*)\}", lambda name: "?" if samples.median(name[1]) is None else f"{samples.median(name[1]):.0f}", text
    )


BOUNDS = {
    "c": (
        "TLS, HTTP and sockets, on which nginx spends {request:nginx:fixed cpu} µs with a fixed answer; the rest is making the "
        "instance, calling it, and the resources of WASI that it asks for",
        "fewer of them made for each request",
    ),
    "zig": (
        "the memory that it declares: where it is made new for each request, all of it is cleared",
        "restoring what the request wrote, and no more",
    ),
    "rust": (
        "linking the imports of a larger component, and the start of its library: its code, the same on both sides",
        "imports that are looked up once",
    ),
    "go": (
        "the start of Go's runtime in each instance: its code, the same on both sides",
        "a snapshot of the instance behind its start",
    ),
    "javascript": (
        "the engine's work, the same on both sides, and the making of its memory",
        "restoring what the request wrote, and no more",
    ),
    "python": (
        "the interpreter's work, the same on both sides, the making of its memory, and linking its many functions",
        "restoring what the request wrote; imports that are looked up once",
    ),
    "exits": (
        "a worker that runs out of work leaves, to sleep: how often depends on the client",
        "nothing while there is work",
    ),
    "handshake": (
        "the signature and the key agreement; system calls are {handshake:this:X25519 system} µs of it, nginx's "
        "{handshake:chain:X25519 system}; two threads hand each connection to each other several times",
        "fewer hand-overs between the I/O thread and the worker for each connection",
    ),
    "connections": (
        "one connection: both threads are woken for each request; many: each has TLS state and rings of its own, which "
        "are not in the cache when its turn comes",
        "less memory for each connection",
    ),
    "apps": (
        "each app has code and tables of its own, which are not in the cache when its turn comes",
        "one copy of the code for apps of the same component",
    ),
    "body": (
        "each byte is decrypted and encrypted, crosses two rings and four sockets' ends, and the guest writes 4 KiB at a time",
        "larger pieces, and a copy less between ring and guest",
    ),
    "idle": (
        "the clock's ticks, and timers for which a worker wakes",
        "a clock that rests, and timers that wait for each other",
    ),
    "held": (
        "TLS's state, and pages of the rings that were touched once",
        "buffers that are given back while nothing comes",
    ),
    "deployed": ("compiling 13 MB", "more threads of the compiler, and code that is not optimised at first"),
}
