"""The servers that are measured. Each has a port, and says which processes it is and how long they have spun."""

import json
import os
import re
import signal
import subprocess
import time

from basics import CACHE, HANG, ROOT, free_port, run, say, wait_for_port
from processor import Reading, children, resident_kib

WASMTIME = "48.0.8"
FEATURES = (
    "run,serve,wasi-keyvalue,component-model,component-model-async,cranelift,pooling-allocator," "parallel-compilation"
)


class Server:
    plain = False

    def __init__(self, name, work):
        self.name, self.work, self.port, self.process = name, work / name, free_port(), None
        self.work.mkdir()

    def launch(self, command):
        self.log = self.work / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    def pids(self):
        return [self.process.pid]

    def reading(self):
        return Reading(self.pids())

    def spun(self):
        """Nanoseconds that it has spun so far, as itself and in the kernel; None: it does not say, or does not spin."""
        return None

    def resident(self):
        return sum(resident_kib(p) for p in self.pids())

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(HANG)


class Enclave(Server):
    def __init__(self, name, work, build, apps=None, workers=1):
        super().__init__(name, work)
        self.build, self.apps, self.workers = build, apps or build / "apps", workers
        # What a turn of a worker without work takes, and what asking how often that was makes it spin: load.calibrate.
        self.turn_ns = self.reading_spun = None
        run(build / "bin/enclavectl", "keygen", self.work / "admin")

    def command(self, port, data):
        return [
            str(c)
            for c in (
                self.build / "bin/enclave-os",
                "serve",
                "--image",
                self.build / "enclave_os.signed",
                "--listen",
                f"127.0.0.1:{port}",
                "--data",
                self.work / data,
                "--sim-dir",
                self.work / "sim",
                "--admin-key",
                self.work / "admin.pub",
                "--workers",
                self.workers,
                "--request-timeout",
                HANG * 1000,
                "--idle-timeout",
                HANG * 1000,
            )
        ]

    def start(self):
        self.launch(self.command(self.port, "data"))

    def identified(self):
        return ["--url", f"https://127.0.0.1:{self.port}", "--admin-key", self.work / "admin", "--allow-simulation"]

    def push(self, name, file):
        """Seconds until it is deployed."""
        push = [self.build / "bin/enclavectl", "app", "push", name, self.apps / (file + ".wasm"), *self.identified()]
        began = time.monotonic()
        try:
            run(*push, "--any-instance")
        except SystemExit:  # an older one, which knows no pins
            run(*push)
        return time.monotonic() - began

    def metrics(self):
        return json.loads(run(self.build / "bin/enclavectl", "get", "/metrics", *self.identified(), "--any-instance"))

    def counters(self):
        """What the host says when it is asked: its I/O threads' spinning, and the emulator's counts."""
        before = self.log.read_text().count("\ncounters:")
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + HANG
        while self.log.read_text().count("\ncounters:") == before and time.monotonic() < end:
            time.sleep(0.005)
        text = self.log.read_text().rpartition("\ncounters:")
        spun = re.findall(r"^spinning: (\d+) us", text[0], re.M)
        counts = dict(re.findall(r"(\w+) (\d+)", text[2]))
        return {
            "spun_ns": int(spun[-1]) * 1000 if spun else 0,
            "exits": int(counts["eexit"]) + int(counts["aex"]),
            "syscalls": int(counts["syscalls"]),
        }

    def spun(self):
        """A worker looks at memory, an I/O thread asks the kernel."""
        if self.turn_ns is None:
            return None
        return self.metrics()["quiet_turns_total"] * self.turn_ns, self.counters()["spun_ns"]


class Wasmtime(Server):
    """`wasmtime serve` with one component, over plain HTTP."""

    plain = True
    program = CACHE / f"bench-wasmtime-{WASMTIME}/bin/wasmtime"

    def __init__(self, name, work, component):
        super().__init__(name, work)
        self.component = component

    def start(self):
        self.launch(
            [
                self.program,
                "serve",
                "--addr",
                f"127.0.0.1:{self.port}",
                "-S",
                "cli,keyvalue",
                "-O",
                "pooling-allocator=y",
                self.component,
            ]
        )  # which it compiles, before it listens


def need_wasmtime():
    """Whether there is one. It is built once, in about ten minutes."""
    root = Wasmtime.program.parent.parent
    stamp = root / "features"
    if stamp.exists() and stamp.read_text().strip() == FEATURES:
        return True
    log, target = CACHE / "bench-wasmtime.log", CACHE / "bench-wasmtime-target"
    say(f"building wasmtime {WASMTIME} for comparison: about ten minutes, once (log in {log})")
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as words:
        made = subprocess.run(
            [
                "nice",
                "-n",
                "19",
                "cargo",
                "install",
                "wasmtime-cli",
                "--version",
                WASMTIME,
                "--locked",
                "--force",
                "--root",
                str(root),
                "--no-default-features",
                "--features",
                FEATURES,
            ],
            stdout=words,
            stderr=words,
            env=dict(os.environ, CARGO_TARGET_DIR=str(target)),
        )
    if made.returncode != 0:
        say(f"no wasmtime to compare with: see {log}; going on without")
        return False
    stamp.write_text(FEATURES + "\n")
    run("rm", "-rf", target)
    return True


CONFIGURATION = """daemon off;
pid {work}/pid;
error_log {work}/error.log;
worker_processes auto;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    ssl_protocols TLSv1.3;
    ssl_certificate_key {work}/key;
    ssl_session_cache off;
    ssl_session_tickets off;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl reuseport backlog=4096;
        ssl_certificate {work}/{certificate};
        location / {{ {location} }}
    }}
}}
"""
FIXED = 'default_type text/plain; return 200 "Hello from C inside the enclave\\n";'


class Nginx(Server):
    """Terminates TLS 1.3 with a P-256 key; certificate: `small`, or `chain`, which is as long as that of `like`."""

    def __init__(self, name, work, location=FIXED, like=None):
        super().__init__(name, work)
        self.location, self.like = location, like

    def start(self):
        certificate = "chain" if self.like else "small"
        self_signed("localhost", self.work / "key", self.work / "small")
        if self.like:
            make_chain(self.work, chain_sizes(self.like))
        (self.work / "conf").write_text(
            CONFIGURATION.format(work=self.work, port=self.port, certificate=certificate, location=self.location)
        )
        self.launch(["nginx", "-c", self.work / "conf"])

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]


def chain_sizes(server):
    """Bytes of each certificate that it sends, as DER."""
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-showcerts"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    ).stdout
    return der_sizes(said)


def der_sizes(text):
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----\n(.*?)-----END", text, re.S)
    return [len("".join(b.split()).rstrip("=")) * 3 // 4 for b in bodies]


def self_signed(name, key, out):
    """A certificate of that name, with a new P-256 key."""
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
        "-keyout",
        key,
        "-out",
        out,
    )


def make_chain(folder, sizes):
    """A leaf with an extension that makes it as long as the first of the sizes, and its CA, as the server has them."""
    self_signed("ca", folder / "ca-key", folder / "ca")
    run("openssl", "req", "-new", "-key", folder / "key", "-subj", "/CN=localhost", "-out", folder / "request")
    octets = sizes[0] - 400
    for _ in range(2):  # the second time with what the first one's size says
        (folder / "extensions").write_text(
            "1.2.840.113741.1.13.1.0=DER:04:82:%02X:%02X:%s\n" % (octets >> 8, octets & 255, ":".join(["5A"] * octets))
        )
        run(
            "openssl",
            "x509",
            "-req",
            "-in",
            folder / "request",
            "-CA",
            folder / "ca",
            "-CAkey",
            folder / "ca-key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            folder / "extensions",
            "-out",
            folder / "leaf",
        )
        octets += sizes[0] - der_sizes((folder / "leaf").read_text())[0]
    (folder / "chain").write_bytes((folder / "leaf").read_bytes() + (folder / "ca").read_bytes())
