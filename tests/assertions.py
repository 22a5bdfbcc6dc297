#!/usr/bin/env python3
"""Functions that hold state and assert too little.

usage: assertions.py [--but PLACE]...           one line for each finding, exit status 1 if there are any
       assertions.py --list [--but PLACE]...    all functions that are judged, with what they assert
       assertions.py --try                      whether it finds what it should, in a text of its own

A place is a folder of enclave/, or a file of it, that is not judged; nor are tests and their helpers.

What is judged. A structure is a core one if its owner checks it (a function NAME_check takes it), or if it outlives the call
that made it: it is counted, locked, linked to its like, charged to somebody, or waits in a loop. A function of more than
LINES lines that reaches into one by pointer has at least TWO assertions: ENSURE, a ..._check of a structure or its loop,
what thread/errand.h asserts. Calls of two kinds count as what they assert themselves: of functions that do nothing else,
such as fs_enter(fs); and of short ones that find such a structure and check it for whoever asks, such as of(x) and
resource_get(g, handle, kind).

An assertion says something that only we can break. What a guest, a client, a host or an operator says is judged by an if.
"""
import collections
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINES, TWO = 10, 2

# Members by which a structure outlives the call that made it. What is only const in it is a description, and holds nothing.
LIVES = re.compile(r"^\s*(struct (loop_task|loop_timer|errand|charge|budget|loop|link|owner) \w+|pthread_(mutex|rwlock)_t \w+"
                   r"|(_Atomic \w+|atomic_uint|uint16_t) refs)\b", re.M)
ASSERTION = re.compile(r"\b(ENSURE|errand_(send|return|end)|references_(take|give))\(")
CHECKER = re.compile(r"\bvoid (\w+_check(?:_all)?)\(")
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\}", re.S | re.M)
FUNCTION = re.compile(r"^([A-Za-z_][^;{}=#\"]*\))\n\{\n(.*?)^\}", re.S | re.M)
CHECKS = re.compile(r"\b\w+_check(?:_all)?\((?:const )?struct (\w+) \*")
POINTER = re.compile(r"\bstruct (\w+) \*(?:const )?(\w+)|\*(?:const )?(\w+) = CONTAINER_OF\(\w+, struct (\w+)")


def plain(text):
    """The same without comments and the insides of texts; lines stay."""
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/',
                  lambda m: '""' if m[0][0] == '"' else "' '" if m[0][0] == "'" else "\n" * m[0].count("\n"), text, flags=re.S)


def sources():
    """path -> its text; of enclave/, without tests"""
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "enclave/*.c", "enclave/*.h"], capture_output=True, text=True,
                            check=True).stdout.split()
    found = {}
    for path in listed:
        if not path.endswith("_test.c") and "/testing/" not in path and os.path.exists(os.path.join(TOP, path)):
            with open(os.path.join(TOP, path)) as file:
                found[path] = plain(file.read())
    return found


def core_structures(texts):
    core = set()
    for text in texts.values():
        core |= set(CHECKS.findall(text))
        for name, members in STRUCT.findall(text):
            if LIVES.search(members) or re.search(rf"^\s*struct {name} \*", members, re.M):
                core.add(name)
    return core


def functions(text):
    """(name, line, parameters, body)"""
    for m in FUNCTION.finditer(text):
        head = " ".join(m[1].split())
        host = re.match(r"(?:static )?HOST_FUNC\((\w+)\)$", head)  # wasm/host.h: its parameters are the macro's
        name = host[1] if host else re.match(r"[^(]*?(\w+)\(", head)[1]
        yield name, text.count("\n", 0, m.start()) + 1, "struct guest *g" if host else head, m[2]


def assertions(body, known):
    """How many a body has; known: name -> how many a call of it stands for"""
    return sum(known.get(called, 1 if ASSERTION.match(called + "(") else 0) for called in re.findall(r"\b(\w+)\(", body))


def only_asserts(body):
    """Nothing but assertions, and what they are about."""
    statements = [part.strip() for part in body.split(";")[:-1]]
    return bool(statements) and all(re.match(r"(ENSURE|\w+_check)\(|(const )?struct \w+ \*\w+ =", part) for part in statements)


def gives(head, core):
    """Whether it hands out a core structure: as its result, or to where a parameter points."""
    found = re.match(r"(?:static )?(?:inline )?(?:const )?struct (\w+) \*", head)
    return (found and found[1] in core) or any(name in core for name in re.findall(r"\bstruct (\w+) \*\*", head))


def doors(texts, core):
    """path, or None for all -> name -> how many assertions a call of it stands for"""
    found = collections.defaultdict(dict)
    for text in texts.values():
        found[None].update((name, 1) for name in CHECKER.findall(text))
    checkers = dict(found[None])
    for text in texts.values():
        found[None].update((name, max(assertions(body, checkers), checkers.get(name, 0)))
                           for name, _, _, body in functions(text) if only_asserts(body))
    for _ in range(3):  # doors within doors
        for path, text in texts.items():
            for name, _, head, body in functions(text):
                asserted = assertions(body, {**found[None], **found[path]})
                if asserted and gives(head, core) and body.count("\n") <= LINES:
                    found[path if head.startswith("static ") and path.endswith(".c") else None].setdefault(name, asserted)
    return found


def judged(text, core, known):
    """(name, line, lines, core structures that it reaches into, assertions)"""
    for name, line, head, body in functions(text):
        lines = body.count("\n")
        if lines <= LINES:
            continue
        pointers = {m[2] or m[3]: m[1] or m[4] for m in POINTER.finditer(head + "\n" + body)}
        reached = {kind for pointer, kind in pointers.items() if kind in core and re.search(rf"\b{pointer}->", body)}
        if reached:
            yield name, line, lines, reached, assertions(body, known)


EXAMPLE = """
struct thing {
    struct loop_timer timer;
    int state;
};
struct plain {
    int state;
};
static inline void thing_check(const struct thing *t)
{
    ENSURE(t->state > 0);
    ENSURE(t->state < 9);
}
static struct thing *of(void *user)
{
    struct thing *t = user;
    ENSURE(t->state > 0);
    thing_check(t);
    return t;
}
"""
TRIED = [  # what is in a long function, and how many assertions that are seen in it; None: it is not judged
    ("struct thing *t", "t->state = 1;", 0),
    ("struct thing *t", "ENSURE(t->state); t->state = 1;", 1),
    ("struct thing *t", "ENSURE(t->state); ENSURE(!t->timer.fn); t->state = 1;", 2),
    ("struct thing *t", "thing_check(t); t->state = 1;", 2),
    ("void *user", "struct thing *t = of(user); t->state = 1;", 3),
    ("struct thing *t", "/* ENSURE(t->state); */ t->state = component_check(t);", 0),
    ("struct thing *t", 't->state = strlen("ENSURE(x) {");', 0),
    ("struct plain *p", "p->state = 1;", None),
    ("struct thing *t", "take(t);", None),
]


def tries():
    wrong = 0
    for parameter, line, expected in TRIED:
        text = plain(EXAMPLE + f"enum result tried({parameter})\n{{\n    {line}\n" + "    f();\n" * LINES + "}\n")
        core = core_structures({"x.h": text})
        known = doors({"x.h": text}, core)
        seen = [asserted for *_, asserted in judged(text, core, {**known[None], **known["x.h"]})]
        if seen != ([] if expected is None else [expected]):
            print(f"{line} has {seen} assertions, not {expected}")
            wrong += 1
    return wrong


def main():
    if sys.argv[1:] == ["--try"]:
        return tries()
    everything = "--list" in sys.argv
    left_out = [place.rstrip("/") for option, place in zip(sys.argv, sys.argv[1:]) if option == "--but"]
    texts = sources()
    core = core_structures(texts)
    known = doors(texts, core)
    findings = 0
    for path, text in texts.items():
        if any(path == place or path.startswith(place + "/") for place in left_out):
            continue
        for name, line, lines, reached, asserted in judged(text, core, {**known[None], **known[path]}):
            findings += asserted < TWO
            if everything or asserted < TWO:
                print(f"{path}:{line}: {name}() has {lines} lines on struct {', struct '.join(sorted(reached))} "
                      f"and {('no assertion', 'one assertion')[asserted] if asserted < TWO else f'{asserted} assertions'}")
    return 1 if findings and not everything else 0


sys.exit(main())
