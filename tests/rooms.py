#!/usr/bin/env python3
"""Rooms and arrows as the linker sees them: which file needs a symbol that another file defines.

usage: rooms.py BUILD            check against tests/rooms.txt; one line for each finding, exit status 1 if there are any
       rooms.py BUILD --draw     the picture of ARCHITECTURE.md: see draw()
       rooms.py BUILD --why A B  the symbols for which files of room A need files of room B

A room is a folder of sources. tests/rooms.txt says what each may need; its order is a proof that no arrow goes up, since a
room may only need rooms that stand above it in that file. Inside a room no two files may need each other, directly or
around corners, unless the file says that they are one subject. A variable that changes and is known beyond its file must be
named there, too.
"""
import collections
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What is linked together. A symbol is looked for among those alone.
SIDES = {
    "enclave_os.signed": ["enclave_early.dir", "enclave_core.dir", "sgx_trusted.dir"],
    "enclave-os": ["enclave-os.dir", "host.dir", "kvstore.dir", "cpuid_table.dir", "doctor.dir", "sgx_loader.dir", "sgx_device.dir",
                   "sgx_emulator.dir", "sgx_sign.dir", "quote.dir", "quote_aesm.dir", "verifier_objects.dir", "common.dir"],
    "enclavectl": ["enclavectl.dir", "verifier_objects.dir", "kvstore.dir", "sgx_sign.dir", "common.dir"],
}


def objects_of(build, parts):
    """object -> its source in the tree; of sources that are ours and still there"""
    found = {}
    for folder, folders, names in os.walk(build):
        folders[:] = [f for f in folders if f not in ("asan", "tsan", "fuzz", "apps", "install")]
        at = folder.find(".dir")
        if at < 0 or os.path.basename(folder[:at + 4]) not in parts:
            continue
        owner = os.path.dirname(os.path.dirname(folder[:at + 4]))  # .../CMakeFiles/X.dir
        for name in names:
            path = os.path.relpath(os.path.join(owner, folder[at + 5:].replace("__", ".."), name[:-2]), build)
            if name.endswith(".o") and os.path.exists(os.path.join(TOP, path)):
                found[os.path.join(folder, name)] = path
    return found


# What the compiler calls by itself: no file chooses to need these.
COMPILERS_OWN = {"__stack_chk_fail"} | {f"{p}{n}" for p in ("", "rt_") for n in ("memcpy", "memmove", "memset", "memcmp")}


def symbols(objects):
    """symbol -> the file that defines it; file -> the symbols that it needs"""
    owners, needs = {}, collections.defaultdict(set)
    for line in subprocess.run(["nm", "-A", *objects], capture_output=True, text=True, check=True).stdout.splitlines():
        name, rest = line.split(":", 1)
        kind, symbol = rest.split()[-2:]
        if symbol in COMPILERS_OWN:
            continue
        if kind in "Uvw":
            needs[objects[name]].add(symbol)
        elif kind.isupper():
            owners[symbol] = objects[name]
    return owners, needs


def graph(build, sides=tuple(SIDES)):
    """file -> file -> symbols"""
    arrows = collections.defaultdict(lambda: collections.defaultdict(set))
    for side in sides:
        objects = objects_of(build, SIDES[side])
        if not objects:
            sys.exit(f"rooms: {build} has no objects of the {side}: build it first")
        owners, needs = symbols(objects)
        for source, names in needs.items():
            for name in names:
                if owners.get(name, source) != source:
                    arrows[source][owners[name]].add(name)
    return arrows


def room(path):
    return os.path.dirname(path)


def circles(arrows):
    """Sets of files that need each other."""
    index, low, stack, result, order = {}, {}, [], [], [0]
    sys.setrecursionlimit(10000)

    def visit(v):
        index[v] = low[v] = order[0]
        order[0] += 1
        stack.append(v)
        for w in list(arrows[v]) if v in arrows else []:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            circle = set(stack[stack.index(v):])
            del stack[stack.index(v):]
            if len(circle) > 1:
                result.append(circle)

    for v in list(arrows):
        if v not in index:
            visit(v)
    return result


def shared_state(build):
    """symbol -> its file; of variables that are not constant, and that other files name"""
    found = {}
    for parts in SIDES.values():
        objects = objects_of(build, parts)
        _, needs = symbols(objects)
        named = set().union(*needs.values())
        for line in subprocess.run(["nm", "-A", "--format=sysv", *objects], capture_output=True, text=True,
                                   check=True).stdout.splitlines():
            if "|" not in line:
                continue
            name, rest = line.split(":", 1)
            symbol, _, _, _, _, _, section = (part.strip() for part in rest.split("|"))
            if symbol in named and section.startswith((".bss", ".data")) and not section.startswith(".data.rel.ro"):
                found[symbol] = objects[name]
    return found


def rules():
    """room -> rooms that it may need; the sets of files that are one subject; and the variables that files share"""
    allowed, subjects, state = {}, [], set()
    with open(os.path.join(TOP, "tests", "rooms.txt")) as lines:
        for number, line in enumerate(lines, 1):
            line = line.split("#")[0].strip()
            if line.startswith("one subject:"):
                subjects.append(set(line.split(":", 1)[1].split()))
            elif line.startswith("shared:"):
                state |= set(line.split(":", 1)[1].split())
            elif line:
                name, needed = (part.strip() for part in line.split("->")) if "->" in line else (line, "")
                for other in needed.split():
                    if other not in allowed:
                        sys.exit(f"rooms.txt:{number}: {other} does not stand above {name}")
                allowed[name] = set(needed.split())
    return allowed, subjects, state


def headers_up(allowed):
    """Includes of a header whose room stands below the file's own in rooms.txt, but for tests, which may look up, and for
    sgx/, whose rooms implement what loader/ describes and end as common/ asks."""
    order = {name: place for place, name in enumerate(allowed)}
    for line in subprocess.run(["git", "-C", TOP, "grep", "-n", '#include "', "--", "*.c", "*.h", ":!*_test.c", ":!*/testing/*"],
                               capture_output=True, text=True, check=True).stdout.splitlines():
        source, _, text = line.split(":", 2)
        target = text.split('"')[1]
        if room(source) in order and not source.startswith("sgx/") and order.get(room(target), -1) > order[room(source)]:
            yield f"{source} includes {target}, which stands above it"


def check(build, arrows):
    allowed, subjects, state = rules()
    shared = shared_state(build)
    findings = [f"{shared[symbol]} shares {symbol}, which rooms.txt does not name" for symbol in set(shared) - state]
    findings += [f"rooms.txt names {symbol}, which nobody shares" for symbol in state - set(shared)]
    findings += headers_up(allowed)
    for source, targets in sorted(arrows.items()):
        for target, names in sorted(targets.items()):
            a, b = room(source), room(target)
            if a not in allowed or b not in allowed:
                findings.append(f"{a if a not in allowed else b} is no room of tests/rooms.txt")
            elif a != b and b not in allowed[a]:
                findings.append(f"{source} needs {target} for {', '.join(sorted(names))}")
    for circle in circles(arrows):
        if not any(circle <= subject for subject in subjects):
            findings.append(f"these need each other: {' '.join(sorted(circle))}")
    for a, targets in allowed.items():
        for b in targets:
            if not any(room(s) == a and room(t) == b for s in arrows for t in arrows[s]):
                findings.append(f"rooms.txt lets {a} need {b}, which it does not")
    return sorted(set(findings))


def between_rooms(arrows):
    """room -> rooms that it needs"""
    needed = collections.defaultdict(set)
    for source, targets in arrows.items():
        for target in targets:
            needed[room(source)] |= {room(target)} - {room(source)}
            needed[room(target)] |= set()
    return needed


def reached(needed, start, without):
    """What start needs, directly or by way of others, but for the arrow from start to `without`."""
    found, ahead = set(), [other for other in needed[start] if other != without]
    while ahead:
        name = ahead.pop()
        if name != start and name not in found:
            found.add(name)
            ahead += needed[name]
    return found


def draw(needed):
    """One line for each room: its name, an arrow, the rooms that it needs. An arrow that follows from others is left out,
    and a room stands above all that it needs; where that cannot be, since rooms need each other, the arrow goes ^up."""
    together = {name: circle for circle in circles(needed) for name in circle}
    below = {name: reached(needed, name, None) for name in needed}
    above = {name: {a for a in needed if name in below[a] and a not in together.get(name, ())} for name in needed}
    lines, height = [], {}
    while len(height) < len(needed):  # a floor is as far down as the longest way to it
        ready = [n for n in needed if n not in height and all(a in height for t in together.get(n, {n}) for a in above[t])]
        floor = 1 + max(height.values(), default=-1)
        height.update((name, floor) for name in ready)
    order = sorted(needed, key=lambda name: (height[name], name))
    for name in order:
        shown = [other for other in order if other in needed[name]
                 and (other in together.get(name, ()) or other not in reached(needed, name, other))]
        marked = [("^" if order.index(other) < order.index(name) else "") + other for other in shown]
        lines.append(f"  {name:16} -> {' '.join(marked)}" if shown else f"  {name}")
    return lines


def main():
    if sys.argv[2:] == ["--draw"]:
        for side in SIDES:
            print("\n".join([f"{side}:", *draw(between_rooms(graph(sys.argv[1], [side])))]))
        return 0
    arrows = graph(sys.argv[1])
    if len(sys.argv) > 4 and sys.argv[2] == "--why":
        for source in sorted(arrows):
            for target in sorted(arrows[source]):
                if room(source) == sys.argv[3] and room(target) == sys.argv[4]:
                    print(f"{source} -> {target}: {', '.join(sorted(arrows[source][target]))}")
        return 0
    findings = check(sys.argv[1], arrows)
    for finding in findings:
        print(f"rooms: {finding}")
    return 1 if findings else 0


sys.exit(main())
