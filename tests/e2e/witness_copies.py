"""A host that runs copies of one store, kills them and starts them again, with a witness whose answers it lets through, delays,
drops, gives again and gives to others: whatever comes of it, who writes to an app that is durable sees one counter.

witness_copies.py FOLDER PROXY-PORT WITNESS-PORT FREE-PORT... -- SERVER-COMMAND...

FOLDER/data is the store. Each number that a client was told is larger than all that were told before it was asked for: by whichever
copy. In the end an honest host finds a copy that starts, and goes on from the largest. SEED repeats the choices, ROUNDS makes more.
"""
import http.client
import http.server
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

folder, proxy_port, witness_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ports = [int(port) for port in sys.argv[4 : sys.argv.index("--")]]
command = sys.argv[sys.argv.index("--") + 1 :]
seed = int(os.environ.get("SEED", time.time_ns() % 1000000))
rounds = int(os.environ.get("ROUNDS", "7"))
hang = int(os.environ.get("HANG", "300"))
print(f"SEED={seed}", flush=True)
choices = random.Random(seed)
lock = threading.Condition()
answers, asked, quiet, honest = [], 0, False, False
tally = {}
insecure = ssl._create_unverified_context()


def choose(weights):
    with lock:
        return choices.choices(list(weights), list(weights.values()))[0]


class Witness(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        global asked
        body = self.rfile.read(int(self.headers["content-length"]))
        what = choose({"pass": 10, "delay": 3, "drop": 2, "late": 2, "replay": 2, "busy": 1})
        with lock:
            what = "pass" if honest else "drop" if quiet else what
            asked += 1
            tally[what] = tally.get(what, 0) + 1
            until = asked + choices.randrange(1, 4)
            lock.notify_all()
            old = choices.choice(answers) if answers else None
        if what == "drop":
            self.close_connection = True
            return
        if what == "busy":
            self.give(503, "text/plain", b"later\n")
            return
        if what == "replay" and old:
            self.give(*old)
            return
        connection = http.client.HTTPConnection("127.0.0.1", witness_port, timeout=hang)
        connection.request("POST", self.path, body)
        response = connection.getresponse()
        answer = response.status, response.headers.get("content-type", ""), response.read()
        with lock:
            if answer[0] == 200:  # another would have it believe in a copy that there is not
                answers.append(answer)
            if what == "delay":  # until others have asked
                lock.wait_for(lambda: asked >= until or honest, timeout=3)
        if what == "late":
            self.close_connection = True
        else:
            self.give(*answer)

    def give(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


class Copy:
    """A store of its own, and perhaps a server on it."""

    def __init__(self, number, source):
        self.folder, self.port, self.process = f"{folder}/copy-{number}", ports[number], None
        self.log = f"{folder}/copy-{number}.log"
        shutil.copytree(source, self.folder, ignore=shutil.ignore_patterns("*.sock"))  # a running server's

    def start(self):
        with open(self.log, "a") as log:
            log.write("---- start\n")
            log.flush()
            self.begins = os.path.getsize(self.log)
            self.process = subprocess.Popen(
                command + ["--listen", f"127.0.0.1:{self.port}", "--data", self.folder], stdout=log, stderr=log
            )

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def said(self):
        with open(self.log) as log:
            log.seek(self.begins)
            return log.read()

    def settles(self):
        """Whether it was served at last; else it has ended."""
        end = time.monotonic() + hang
        while time.monotonic() < end:
            if "\nready" in self.said() or not self.runs():
                return self.runs()
            time.sleep(0.05)
        sys.exit(f"{self.log}: neither served nor ended")

    def write(self):
        """The number that a client is told, or None."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=1, context=insecure)
        try:
            connection.request("GET", "/counter/")
            response = connection.getresponse()
            body = response.read().decode()
            return int(re.search(r"(\d+)\s*$", body)[1]) if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


told = []  # (when it was asked for, when it was told, the number, by which copy)


def writer(copy, process, turns):
    for _ in range(turns):
        if copy.process is not process or not copy.runs():
            return
        begun = time.monotonic()
        number = copy.write()
        with lock:
            if number is not None:
                told.append((begun, time.monotonic(), number, copy.folder))


def judge():
    most, last = 0, None
    events = sorted([(t[1], 0, t) for t in told] + [(t[0], 1, t) for t in told], key=lambda e: e[:2])
    before = {}
    for _, is_begin, t in events:
        if is_begin:
            before[id(t)] = (most, last)
        elif t[2] > most:
            most, last = t[2], t
    for t in told:
        least, by = before[id(t)]
        if t[2] <= least:
            sys.exit(f"{t[3]} told {t[2]}, and {by[3]} had told {least} before that was asked for")
    if len({t[2] for t in told}) != len(told):
        sys.exit("a number was told twice")
    return most


threading.Thread(target=Server(("127.0.0.1", proxy_port), Witness).serve_forever, daemon=True).start()
copies = [Copy(0, f"{folder}/data")]
refused = set()


def write_all(turns):
    threads = [threading.Thread(target=writer, args=(c, c.process, turns)) for c in copies if c.runs()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve_one():
    """One more copy that is served: any that may be, tried in any order."""
    resting = [c for c in copies if not c.runs() and c not in refused]
    choices.shuffle(resting)
    for copy in resting:
        copy.start()
        if copy.settles():
            return
        refused.add(copy)


for _ in range(rounds):
    for copy in [c for c in copies if c.runs() and "no quorum of witnesses is left" in c.said()]:
        copy.kill()
        refused.add(copy)
    if not any(c.runs() for c in copies) or choices.random() < 0.3:
        serve_one()
    running = [c for c in copies if c.runs()]
    if not running:
        sys.exit("no copy is served any more")
    if len(copies) < len(ports):
        copies.append(Copy(len(copies), choices.choice(running).folder))  # while it is written
    quiet = choices.random() < 0.7
    write_all(3)
    for copy in running:
        if choices.random() < 0.7:
            copy.kill()
    quiet = False
honest = True
with lock:
    lock.notify_all()
for copy in copies:
    if copy.process:
        copy.kill()
most, served = judge(), 0
for copy in [c for c in copies if c not in refused]:
    copy.start()
    if copy.settles():
        served += 1
        writer(copy, copy.process, 3)
        copy.kill()
went_on = judge()
if not served or went_on <= most:
    sys.exit(f"{served} of {len(copies)} copies were served in the end, and told {went_on} where it was {most} before")
print(f"{len(copies)} copies, {len(told)} numbers told, {asked} questions ({tally}), {served} served in the end")
