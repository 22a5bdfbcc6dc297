"""What the programs here share: commands, ports, the clients in C, and samples with their median and spread."""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = pathlib.Path(
    os.environ.get("ENCLAVE_OS_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "enclave-os"
)
HANG = 600  # seconds; ends what would never end


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """What it says; if it fails, its own words are why."""
    made = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if made.returncode != 0:
        raise SystemExit(
            f"{' '.join(str(c) for c in command)}: {made.returncode}\n{made.stdout[-2000:]}{made.stderr[-2000:]}"
        )
    return made.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + HANG
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{process.args[0]} does not listen")


def make_clients(work):
    """client and drive, with the enclave's OpenSSL, which knows more groups than Debian's: one for all servers."""
    inside = pathlib.Path(run(ROOT / "openssl/build.sh").strip())
    for program in ("client", "drive"):
        run(
            "cc",
            "-std=gnu17",
            "-O2",
            "-Wall",
            "-Werror",
            "-I",
            inside / "include",
            "-o",
            work / program,
            HERE / (program + ".c"),
            inside / "libssl.a",
            inside / "libcrypto.a",
        )


class Samples:
    """Figures by name, each as often as it was measured."""

    def __init__(self):
        self.values = {}

    def add(self, name, value):
        self.values.setdefault(name, []).append(value)

    def add_all(self, name, figures):
        for figure, value in figures.items():
            self.add(f"{name} {figure}", value)

    def has(self, name):
        return name in self.values

    def median(self, name):
        """None where it was not measured."""
        return statistics.median(self.values[name]) if name in self.values else None

    def spread(self, name):
        return min(self.values[name]), max(self.values[name])

    def ratio(self, name, base):
        """The median of the ratios, round by round: both were measured by turns."""
        if name not in self.values or base not in self.values:
            return None
        ratios = [a / b for a, b in zip(self.values[name], self.values[base]) if b]
        return statistics.median(ratios) if ratios else None

    def save(self, path, about):
        path.write_text(json.dumps({"about": about, "samples": self.values}, indent=1) + "\n")

    def load(self, path):
        kept = json.loads(path.read_text())
        self.values = kept["samples"]
        return kept["about"]
