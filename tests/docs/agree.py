"""What has to be said in more than one place is said in each: agree.py SOURCE; one line for each finding, exit status 1 if there
is any.

- Each RPC method of common/protocol.h has an answer (a `case`) in host/, a try in host/fake_enclave.c and a row in
  docs/boundary.md; and no row is of a method that is gone.
- Each label of a Merkle leaf that enclave/service/ or enclave/witness/ adds stands in docs/attestation.md's list, and no other does.
"""
import pathlib
import re
import sys

TRIED_ELSEWHERE = {"RPC_NET_CONNECT"}  # it takes somebody to connect to: e2e/egress
top = pathlib.Path(sys.argv[1])
found = []


def text(path):
    return (top / path).read_text()


def section(document, heading):
    return document.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def compare(what, here, code, there, document):
    for name in sorted(code - document):
        found.append(f"{what} {name} of {here} is not in {there}")
    for name in sorted(document - code):
        found.append(f"{what} {name} of {there} is not in {here}")


methods = set(re.findall(r"^    (RPC_\w+) = 0x", text("common/protocol.h"), re.M))
rows = re.findall(r"^\| ([A-Z][A-Z_, ]+) \|", section(text("docs/boundary.md"), "RPC on a worker's control channel"), re.M)
compare("RPC method", "common/protocol.h", methods, "docs/boundary.md", {f"RPC_{n}" for row in rows for n in row.split(", ")})
answers = "".join(path.read_text() for path in (top / "host").rglob("*.c"))
for method in sorted(methods):
    if not re.search(rf"case {method}:", answers):
        found.append(f"host/ does not answer {method}")
    if method not in TRIED_ELSEWHERE and not re.search(rf"\b{method}\b", text("host/fake_enclave.c")):
        found.append(f"host/fake_enclave.c does not try {method}")

added = set()
for path in sorted(p for room in ("service", "witness") for p in (top / "enclave" / room).glob("*.c") if not p.name.endswith("_test.c")):
    body = path.read_text()
    added |= set(re.findall(r'\badd\(&?c, "([^"]+)"', body))
    added |= {f"{kind}:NAME" for kind in re.findall(r'\badd_of_app\([^;"]*"([^"]+)"', body)}
    added |= set(re.findall(r'\badd\(user, "([^"]+)"', body))
    added |= {f"{kind}:NAME" for kind in re.findall(r'\(label, sizeof label, "([a-z]+):%s"', body)}
    added |= {f"{kind}:THUMBPRINT" for kind in re.findall(r'char label\[[^]]*\] = "([a-z]+):"', body)}
listed = set(re.findall(r"^\d+\. `([^`]+)`:", section(text("docs/attestation.md"), "Merkle tree"), re.M))
compare("leaf", "enclave/service/", added, "docs/attestation.md", listed)
if not methods or not listed:
    found.append("nothing was compared")

print("\n".join(found))
sys.exit(1 if found else 0)
