#!/usr/bin/env python3
"""Files and functions that are too long to be read in one go.

usage: sizes.py          one line for each finding, exit status 1 if there are any
       sizes.py --try    whether it finds what it should, in texts of its own

A file of code has at most 500 lines, a function 70 between its braces. What is longer is named in tests/sizes.txt, with
the reason; what is named there without need is a finding, too.
"""
import ast
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILE, FUNCTION = 500, 70
CODE = (".c", ".h", ".S", ".rs", ".py", ".sh", ".mjs", ".js", ".go")


def in_c(lines):
    """(name, lines) of functions: by our format what begins at a brace alone in its line is one"""
    for at, line in enumerate(lines):
        if line == "{":
            head = next(lines[i] for i in range(at - 1, -1, -1) if re.match(r"\w", lines[i]))
            named = re.match(r"[^(]*?(\w+)\(", head)
            yield named[1] if named else head, lines.index("}", at) - at - 1


def in_rust(lines):
    for at, line in enumerate(lines):
        begins = re.match(r"( *)(pub(\(\w+\))? )?(const )?(unsafe )?(extern \"C\" )?(async )?fn (\w+).*", line)
        if begins and not line.endswith((";", "}")):
            end = next(i for i in range(at, len(lines)) if lines[i] == begins[1] + "}")
            start = next(i for i in range(at, end) if lines[i].endswith("{"))
            yield begins[8], end - start - 1


def functions(path, text):
    lines = text.split("\n")
    if path.endswith((".c", ".h")):
        return in_c(lines)
    if path.endswith(".rs"):
        return in_rust(lines)
    if path.endswith(".py"):
        return [(node.name, node.end_lineno - node.lineno) for node in ast.walk(ast.parse(text))
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return []


def too_long(path, text):
    """name of the file, or file:function -> what is to be said of it"""
    found = {}
    if text.count("\n") > FILE:
        found[path] = f"{path} has {text.count(chr(10))} lines"
    for name, lines in functions(path, text):
        if lines > FUNCTION:
            found[f"{path}:{name}"] = f"{path}: {name}() has {lines} lines"
    return found


def tries():
    def function(head, lines):
        return head + "    f();\n" * lines + "}\n"

    long_c = function("static int f(struct a *b,\n             int c)\n{\n", FUNCTION + 1)
    texts = [("a.c", function("int f(void)\n{\n", FUNCTION), []),
             ("a.c", long_c, ["a.c:f"]),
             ("a.c", "static const struct a all[] = {\n" + "    {1},\n" * 90 + "};\n", []),
             ("a.c", "int x;\n" * (FILE + 1), ["a.c"]),
             ("a.c", "int x;\n" * FILE, []),
             ("a.rs", function("    pub unsafe fn f() {\n", FUNCTION + 1).replace("\n}", "\n    }"), ["a.rs:f"]),
             ("a.py", "def f():\n" + "    g()\n" * (FUNCTION + 1), ["a.py:f"])]
    wrong = [(path, text[:40]) for path, text, expected in texts if list(too_long(path, text)) != expected]
    for path, text in wrong:
        print(f"{path}: {text!r}... is judged wrong")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--try"]:
        return tries()
    named = {}
    with open(os.path.join(TOP, "tests/sizes.txt")) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                place, _, reason = line.strip().partition(" ")
                named[place] = reason.strip()
    found = {}
    listed = subprocess.run(["git", "-C", TOP, "ls-files"], capture_output=True, text=True, check=True).stdout
    for path in listed.split("\n"):
        if path.endswith(CODE) and os.path.isfile(os.path.join(TOP, path)):
            with open(os.path.join(TOP, path), errors="replace") as file:
                try:
                    found.update(too_long(path, file.read()))
                except SyntaxError as error:  # such as what only a newer Python takes than Debian 12's
                    found[path] = f"{path}, line {error.lineno}, is no Python: {error.msg}"
    findings = [f"{said}: take it apart, or say in tests/sizes.txt why not" for place, said in found.items()
                if place not in named]
    findings += [f"tests/sizes.txt names {place}, which is not too long" for place in named if place not in found]
    findings += [f"tests/sizes.txt gives no reason for {place}" for place, reason in named.items() if not reason]
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


sys.exit(main())
