"""cut.py PORT FOLDER SEED MONITOR COMMAND...: each COMMAND that reads an instance's log ("verify", "log", "monitor"; the program
before it) over a way that is cut: at each request, at borders of what it sends and gets, and anywhere. Whatever is not answered is no
verdict, and no conflict: the command says that it got no answer, and the one that stays goes on."""
import glob
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading

from cutting import Way

port, folder, seed, programs = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
draw = random.Random(seed)
print(f"SEED={seed}")
ANYWHERE = int(os.environ.get("CUTS", "12"))  # cuts at random places, of each command
VERDICTS = ("NOT verified", "is not verified", "FAIL", "conflict", "does not go on", "has shown no log", "refused:", "genuine")
failures, lock = [], threading.Lock()


def fail(what, ran):
    with lock:
        failures.append(f"{what}: status {ran.returncode}\n{ran.stdout}\n{ran.stderr}")


def run(program, command, plans, name, certificate=None):
    """It, over a way of its own with a state of its own."""
    state = folder / f"cut-{name}.state"
    shutil.copy(folder / "log.state", state)
    way = Way(port, plans, certificate)
    extra = ["--from", "0", "--count", str(entries), "--interval", "1"] if command == "monitor" else []
    ran = subprocess.run([program, command, f"https://127.0.0.1:{way.port}", "--policy", folder / "policy.json", "--log-state", state,
                          *extra], capture_output=True, text=True)
    way.close()
    after = state.read_bytes()
    left = set(glob.glob(f"{state}*")) - {str(state)}
    for path in [str(state), *left]:
        os.unlink(path)
    return ran, way, after, left, way.port


def plain(text, used):
    """Without what is another one each time: the port, and how old a certificate is."""
    return re.sub(r"\d+ (h|min|s)\b", r"N \1", text.replace(f":{used}", ":PORT"))


before = (folder / "log.state").read_bytes()
entries = int(before.split(b"\n")[4])
whole = {}
for program in programs:
    for command in ("verify", "log", "monitor"):
        ran, way, after, left, used = run(program, command, [], f"{command}-whole")
        if ran.returncode != 0:
            sys.exit(f"{program} {command}, without a cut: {ran.stdout}{ran.stderr}")
        whole[program, command] = plain(ran.stdout, used), way.seen


def judge(program, command, plans, name, certificate=None):
    ran, way, after, left, used = run(program, command, plans, name, certificate)
    expected, _ = whole[program, command]
    output, what = plain(ran.stdout, used), f"{program} {command} with {plans}"
    if ran.stderr.startswith("Traceback") or "\nTraceback" in ran.stderr:
        fail(f"{what}: it ended by an exception", ran)
    said = ran.stderr + (output if command == "verify" and ran.returncode != 0 else "")
    if left or after != before:
        fail(f"{what}: the state is another one, or something was written: {left}", ran)
    if any(word in said for word in VERDICTS):
        fail(f"{what}: a verdict of what was not answered", ran)
    if command == "monitor":
        if ran.returncode != 0 or output != expected:
            fail(f"{what}: it did not go on", ran)
        if ran.stderr.count("does not answer; it is asked again") > 1 or ran.stderr.count("answers again") > 1:
            fail(f"{what}: it was told more than once", ran)
        if ("answers again" in ran.stderr) != ("does not answer" in ran.stderr):
            fail(f"{what}: it was told in part", ran)
    elif ran.returncode == 0:
        # what the policy does not need may be missing: then it is told, and the verdict is the same
        if output != expected and (command == "log" or not ran.stderr or output.splitlines()[-1] != expected.splitlines()[-1]):
            fail(f"{what}: something is missing", ran)
    elif ran.returncode != 1 or not ran.stderr or (command == "verify" and output):
        fail(f"{what}: neither verified nor without an answer", ran)
    return ran


def places(seen):
    """Plans of one cut each: of each connection, at each request, at the borders of what goes either way, and anywhere."""
    for number, (up, down, requests) in enumerate(seen):
        first = ["pass"] * number
        yield first + ["refuse"]
        for n in range(requests):
            yield first + [f"requests {n}"]
        for n in {1, 5, 6, down // 2, down - 1}:
            yield first + [f"down {n}"]
        for n in {1, up - 1}:
            yield first + [f"up {n}"]
    for _ in range(ANYWHERE):
        number = draw.randrange(len(seen))
        up, down, _ = seen[number]
        yield ["pass"] * number + [draw.choice([f"down {draw.randrange(1, down)}", f"up {draw.randrange(1, up)}"])]


jobs = []
for (program, command), (_, seen) in whole.items():
    for plans in places(seen):
        jobs.append((program, command, plans))
    # again and again, in other places
    if command == "monitor":
        up, down, requests = seen[0]
        jobs.append((program, command, ["refuse", f"down {down // 3}", "requests 1"]))
# who comes between, when the connection that is judged is cut behind the manifest: nobody's word is the server's
stranger = folder / "stranger.pem"
for program in programs:
    for what in ("404", "503", str(folder / "old.checkpoint"), str(folder / "garbage")):
        for command in ("verify", "log", "monitor"):
            jobs.append((program, command, ["requests 1", f"answer {what}", f"answer {what}"]
                         if command != "monitor" else ["requests 1", f"answer {what}"]))
total = len(jobs)


def work(number):
    while True:
        with lock:
            if not jobs:
                return
            at, job = len(jobs), jobs.pop()
        try:
            judge(*job, f"{job[1]}-{at}", stranger)
        except Exception as e:
            with lock:
                failures.append(f"{job}: {e!r}")


threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{total} cuts, {len(failures)} findings")
if failures:
    sys.exit("\n".join(failures[:5] + [text.split("\n")[0] for text in failures[5:]]))
