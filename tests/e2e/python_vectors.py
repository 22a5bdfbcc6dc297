"""The Python binding judges verifier/vectors as they say: FOLDER."""
import base64
import calendar
import json
import pathlib
import sys
import tempfile
import time

from enclave_verifier import Collateral, Log, LogError, Policy, verify_certificate


def collateral_of(vector):
    if vector["collateral"] is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, data in vector["collateral"].items():
            (pathlib.Path(folder) / name).write_bytes(base64.b64decode(data))
        return Collateral.load(folder)


def log_of(vector):
    files = vector.get("log")
    try:
        return files and Log(lambda path, limit: base64.b64decode(files[path]) if path in files else None)
    except LogError:  # a malformed head: there is no log, then
        return None


def fresh_of(vector):
    fresh = vector.get("fresh")
    return fresh and (fresh["answer"], bytes.fromhex(fresh["context"]), bytes.fromhex(fresh["exported"]))


def judge(vector):
    now = calendar.timegm(time.strptime(vector["now"], "%Y-%m-%dT%H:%M:%SZ"))
    result = verify_certificate(base64.b64decode(vector["certificate"]), Policy(file=vector["policy"], now=now), collateral_of(vector),
                                live=vector["live"], manifest=vector["manifest"], log=log_of(vector), fresh=fresh_of(vector))
    checks = {}
    for check in result.checks:
        name = check["name"]
        if name == "extension" or name.split(" ")[0] == "app":
            checks.setdefault(name, []).append(check["outcome"])
        else:
            checks[name] = check["outcome"]
    return result.verdict, checks


judged = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    vector = json.loads(path.read_text())
    verdict, checks = judge(vector)
    assert verdict == vector["verdict"], f"{path.name}: {verdict}"
    different = {name: outcome for name, outcome in checks.items() if vector["checks"].get(name) != outcome}
    assert not different and len(checks) == len(vector["checks"]), f"{path.name}: {different}"
    judged += 1
assert judged > 200, judged
print(judged, "vectors")
