#!/usr/bin/env python3
"""Measures this server beside nginx and `wasmtime serve`, by turns in one run; writes docs/benchmarks.md and its plot.

Called by ./dev bench, which has built everything. Everything runs on loopback and ends by itself. The samples are kept
in build/bench.json: --only measures some parts again and takes the others from there, --write makes the page of them
alone.
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile
import time

from basics import ROOT, Samples, make_clients, run, say
from page import page
from parts import PARTS, SHORT, Bench, Sizes
from plot import plot
from servers import WASMTIME, need_wasmtime


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--rounds", type=int, help="of each part (5)")
    a.add_argument("--seconds", type=float, help="of each load in each round (1)")
    for name, what in (("connections", "how many"), ("apps", "how many"), ("bodies", "MiB")):
        a.add_argument(
            f"--{name}",
            nargs="+",
            type=int,
            metavar="N",
            help=f"{what}, in ascending order ({' '.join(map(str, getattr(Sizes, name)))})",
        )
    a.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        metavar="PART",
        help=f"{', '.join(PARTS)}; the others as they are in build/bench.json",
    )
    a.add_argument("--short", action="store_true", help="tiny sizes, without wasmtime: whether it runs, not how fast")
    a.add_argument("--no-wasmtime", action="store_true", help="compare with nginx alone, and build no wasmtime")
    a.add_argument("--write", action="store_true", help="measure nothing")
    a.add_argument(
        "--out", type=pathlib.Path, default=ROOT / "docs/benchmarks.md", help="the page; the plot lies beside it"
    )
    return a.parse_args()


def described(build, compare, short):
    """What a reader must know of the run, as far as it is known at its beginning."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "revision": run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip(),
        "machine": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "linux": platform.release().split("-")[0],
        "load_before": f"{os.getloadavg()[0]:.2f}",
        "nginx": re.search(r"nginx/(\S+)", subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr)[1],
        "wasmtime": WASMTIME if compare else "was not there to compare with",
        "queue": "not run" if short else run(build / "bin/queue_bench").strip(),
    }


def measure(a, build, samples, about, kept):
    sizes = SHORT if a.short else Sizes()
    for knob in ("rounds", "seconds", "connections", "apps", "bodies"):
        setattr(sizes, knob, getattr(a, knob) or getattr(sizes, knob))
    compare = not (a.short or a.no_wasmtime) and need_wasmtime()
    about.update(described(build, compare, a.short), rounds=sizes.rounds, idle=sizes.idle)
    with tempfile.TemporaryDirectory() as folder:
        make_clients(pathlib.Path(folder))
        b = Bench(pathlib.Path(folder), build, sizes, samples, compare)
        try:
            for name in a.only or PARTS:
                measure_part(name, b)
                about.update(load_after=f"{os.getloadavg()[0]:.2f}", turn=b.measured_spinning[0])
                samples.save(kept, about)
        finally:
            b.stop()


def measure_part(name, b):
    """Its figures take the place of those that were there."""
    began, samples, b.samples = time.monotonic(), b.samples, Samples()
    try:
        PARTS[name](b)
    finally:
        b.stop(all_of_them=False)
    samples.values.update(b.samples.values)
    b.samples = samples
    say(f"{name}: {time.monotonic() - began:.0f} s")


def main():
    began = time.monotonic()
    a, build = arguments(), pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
    kept, samples, about = build / ("bench-short.json" if a.short else "bench.json"), Samples(), {}
    if (a.only or a.write) and kept.exists():
        about = samples.load(kept)
    if not a.write:
        measure(a, build, samples, about, kept)
    text = page(samples, about)
    a.out.parent.mkdir(parents=True, exist_ok=True)
    a.out.write_text(text)
    if shutil.which("gnuplot") or not a.short:  # ./dev bench installs it; the test does without
        plot(samples, a.out.with_suffix(".svg"))
    say(f"written to {a.out}, after {time.monotonic() - began:.0f} s")


main()
