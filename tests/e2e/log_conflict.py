"""log_conflict.py FILE: what a third party does with a conflict file (docs/history.md), without any of our code: both heads are
signed by one key, and no tree can begin with the first and end in the second."""
import base64
import hashlib
import json
import subprocess
import sys
import tempfile


def verify(key, text, signature):
    spki = bytes.fromhex("302a300506032b6570032100") + key
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key", spki), ("text", text), ("signature", signature)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{folder}/key", "-keyform", "DER", "-rawin",
                        "-in", f"{folder}/text", "-sigfile", f"{folder}/signature"], check=True, stdout=subprocess.DEVNULL)


def head(note, vkey):
    name, number, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1 and hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8] == number
    text, lines = note.rsplit("\n\n", 1)
    own = [line.split(" ")[2] for line in lines.split("\n") if line.startswith(f"— {name} ")]
    signature = base64.b64decode(own[0])
    assert signature[:4].hex() == number
    verify(key[1:], (text + "\n").encode(), signature[4:])
    origin, size, root = text.split("\n")[:3]
    assert origin == name
    return int(size), base64.b64decode(root)


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def roots(old, new, proof):
    """RFC 9162, section 2.1.4.2, whose first hash is here in any case."""
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = proof[0]
    for step in proof[1:]:
        assert last != 0
        if at & 1 or at == last:
            first, second = node(step, first), node(step, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node(second, step)
        at, last = at >> 1, last >> 1
    assert last == 0
    return first, second


conflict = json.load(open(sys.argv[1], encoding="utf-8"))
assert conflict["format"] == "enclave-os-log-conflict/1"
(old_size, old_root), (new_size, new_root) = (head(conflict[name], conflict["key"]) for name in ("before", "now"))
if old_size == new_size:
    rewritten = old_root != new_root
else:
    first, second = roots(old_size, new_size, [bytes.fromhex(step) for step in conflict["proof"]])
    rewritten = second == new_root and first != old_root
print(f"{old_size} {old_root.hex()}, then {new_size} {new_root.hex()}: {'rewritten' if rewritten else 'nothing is proven'}")
sys.exit(0 if rewritten and conflict["kind"] == "rewritten" else 1)
