"""Documents have every option of every command, in the words of --help: options.py BUILD SOURCE; with --make it prints tables
for them.

In cli/README.md and host/README.md a section named after a command (`## enclavectl verify`) has a row for each option; rows that
several commands share stand in a section of their own, which each of them names. And each option that a program's source knows
is in a help text: none is secret.
"""
import pathlib
import re
import subprocess
import sys

SHARED = {"cli/README.md": {"## Which server": ("verify", "policy", "log", "monitor", "ca", "context", "app", "admin", "egress-ca", "issuer", "acme", "witness",
                                                 "upgrade-rule", "upgrade", "salvage", "get", "fetch", "recover", "recovery"),
                            "## Who asks": ("app", "admin", "egress-ca", "issuer", "acme", "witness", "upgrade-rule", "upgrade", "salvage", "get", "recovery")}}
COMMANDS = {"cli/README.md": ("enclavectl", ("verify", "policy", "log", "monitor", "ca", "context", "app", "admin", "egress-ca", "issuer", "acme", "witness",
                                             "upgrade-rule", "upgrade-rule agree", "upgrade", "salvage", "get", "fetch", "keygen",
                                             "publish", "recover", "recovery", "backup", "restore", "measure", "sign")),
            "host/README.md": ("enclave-os", ("serve", "doctor"))}
SOURCES = ["cli/*.[ch]", "sgx/sign/sign.c", "host/options.c", "host/doctor.c"]


def help_of(build, program, command):
    return subprocess.run([f"{build}/bin/{program}", *command], capture_output=True, text=True, check=True).stdout


def rows_of_help(text):
    """{"--out FILE": meaning}, with continuations."""
    rows, last = {}, None
    for line in text.splitlines():
        found = re.match(r"  (--[a-z0-9-]+(?: [^ ]+)*)  +(\S.*)", line)
        more = re.match(r" {20,}(\S.*)", line)
        if found:
            last = found.group(1)
            rows[last] = found.group(2)
        elif more and last:
            rows[last] += " " + more.group(1)
        else:
            last = None
    for usage in re.findall(r"^usage:.*", text, re.M):  # an option that stands there alone has no meaning of its own
        for option in re.findall(r"(--[a-z0-9-]+(?: [A-Z][^ \]]*)?)", usage):
            if not any(row.split()[0] == option.split()[0] for row in rows):
                rows.setdefault(option, "")
    return {k: v for k, v in rows.items() if k not in ("--url", "--admin-key")}


def sections_of(path):
    """{heading: {"--out FILE": meaning}}"""
    sections, now = {}, {}
    for line in path.read_text().splitlines():
        row = re.match(r"\| `(--[^`]+)` \| (.*) \|$", line)
        if line.startswith("## "):
            now = sections.setdefault(line, {})
        elif row:
            now[row.group(1).replace("\\|", "|")] = row.group(2).replace("\\|", "|")
    return sections


def check(build, source):
    problems, helped = [], {"--help"}
    for name, (program, commands) in COMMANDS.items():
        sections = sections_of(source / name)
        shared = SHARED.get(name, {})
        for command in commands:
            own = sections.get(f"## {program} {command}")
            if own is None:
                problems.append(f"{name} has no section '## {program} {command}'")
                continue
            written = dict(own)
            for heading, users in shared.items():
                written.update(sections.get(heading, {}) if command in users else {})
            shown = rows_of_help(help_of(build, program, [*command.split(), "--help"]))
            helped |= {row.split()[0] for row in shown}
            for row in sorted(shown.keys() | written.keys()):
                if written.get(row) != shown.get(row):
                    problems.append(f"{name}, {command}: `{row}` is '{written.get(row)}', --help says '{shown.get(row)}'")
        listed = re.findall(r"^  ([a-z-]+) ", help_of(build, program, ["--help"]), re.M)
        problems += [f"{name} has no section for {c}, which {program} --help lists" for c in listed if c not in commands]
    known = set()
    for pattern in SOURCES:
        for path in source.glob(pattern):
            text = path.read_text()
            known |= {"--" + o for o in re.findall(r'\{"([a-z0-9-]+)", [01], (?:0|NULL),', text)}
            known |= set(re.findall(r'is_option\([^,]+, "(--[a-z0-9-]+)"\)', text))  # which no table has
    problems += [f"no --help shows {option}" for option in sorted(known - helped)]
    problems += [f"the sources do not know {option}" for option in sorted(helped - known)]
    return problems


def make(build):
    for name, (program, commands) in COMMANDS.items():
        for command in commands:
            print(f"\n## {program} {command}\n\n| option | |\n| --- | --- |")
            for row, meaning in rows_of_help(help_of(build, program, [*command.split(), "--help"])).items():
                print("| `{}` | {} |".format(*(text.replace("|", "\\|") for text in (row, meaning))))


if sys.argv[1] == "--make":
    make(sys.argv[2])
else:
    found = check(sys.argv[1], pathlib.Path(sys.argv[2]))
    print("\n".join(found))
    sys.exit(1 if found else 0)
