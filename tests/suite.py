"""What tests/run.sh has to know of a suite of tests: a build folder that CMake has configured, though perhaps nothing is built.

suite.py list BUILD                       the tests' names, one a line
suite.py needed BUILD NAMES-FILE APP...   what the named tests want: lines "target NAME" for ninja, "app NAME" for apps/build.sh,
                                          "tool NAME" for tests/NAME/build.sh
suite.py results JUNIT-FILE               one line per test: passed, failed or skipped, and its name
"""
import pathlib
import re
import sys
import xml.etree.ElementTree


def tests(build):
    """Names and commands, from what CMake has written for ctest."""
    found = {}
    for file in sorted(build.rglob("CTestTestfile.cmake")):
        if file.relative_to(build).parts[0] in ("asan", "tsan", "fuzz", "debug"):
            continue  # another suite, in a folder of this one
        for name, command in re.findall(r"^add_test\((?:\[=\[)?(.+?)(?:\]=\])? (\".*)\)$", file.read_text(), re.M):
            found[name] = re.findall(r'"([^"]*)"', command)
    return found


def words_of(command):
    """The words of a command, of the scripts that it runs and of those that they source, and of a program's own file."""
    text = " ".join(command)
    for source in pathlib.Path(__file__).parent.rglob(pathlib.Path(command[0]).name + ".c"):
        text += source.read_text()
    scripts = [pathlib.Path(word) for word in command if word.endswith(".sh")]
    for script in scripts:
        if not script.is_file():
            continue
        body = script.read_text()
        text += body
        for sourced in re.findall(r'/([\w.-]+\.sh)"?$', body, re.M):
            beside = script.parent / sourced
            if beside.is_file() and beside not in scripts:
                scripts.append(beside)
    return set(re.findall(r"[\w-]+", text))


def needed(build, names, apps):
    wanted = set()
    for name in names:
        command = tests(build)[name]
        program = pathlib.Path(command[0])
        if program.is_relative_to(build):
            wanted.add(f"target {program.relative_to(build)}")
        else:
            wanted.add("target all")  # a script may start any program
        words = words_of(command)
        wanted |= {f"app {app}" for app in words & set(apps)}
        if "interop" in words:
            wanted.add("tool interop")
        if "litewitness" in words:
            wanted.add("tool witness")
    return wanted


def results(file):
    for case in xml.etree.ElementTree.parse(file).getroot().iter("testcase"):
        skipped = case.find("skipped")
        # A test that could not be started is "skipped" for JUnit, and a failure for us.
        if case.get("status") == "run":
            outcome = "passed"
        elif skipped is not None and "SKIP_" in skipped.get("message", ""):
            outcome = "skipped"
        else:
            outcome = "failed"
        yield f"{outcome} {case.get('name')}"


def main(verb, *rest):
    if verb == "list":
        lines = tests(pathlib.Path(rest[0]).resolve())
    elif verb == "needed":
        names = pathlib.Path(rest[1]).read_text().split()
        lines = sorted(needed(pathlib.Path(rest[0]).resolve(), names, rest[2:]))
    else:
        lines = results(rest[0])
    for line in lines:
        print(line)


main(*sys.argv[1:])
