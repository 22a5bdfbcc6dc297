#!/usr/bin/env bash
# The Python binding: build its wheel, install it into a fresh virtual environment, verify a live server through it; and
# the JSON of enclavectl against its schema, with a validator that we did not write.
. "$(dirname "$0")/lib.sh"

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
python3 -m venv "$work/build" && python3 -m venv "$work/fresh"
"$work/build/bin/pip" -q install setuptools==80.9.0 wheel==0.45.1
cp -r "$SOURCE/bindings/python" "$work/source"
ENCLAVE_VERIFIER_LIBRARY=$(realpath "$BUILD/lib/libenclave-verifier.so.0") \
    "$work/build/bin/pip" -q wheel --no-deps --no-build-isolation -w "$work/wheels" "$work/source"
ls "$work"/wheels/enclave_verifier-*-py3-none-linux_x86_64.whl >/dev/null || fail "wheels: $(ls "$work/wheels")"
"$work/fresh/bin/pip" -q install "$work"/wheels/*.whl requests==2.32.5 jsonschema==4.25.1

collateral_port=$(free_port)
check start --collateral-listen "127.0.0.1:$collateral_port"
push hello hello-c
"$work/fresh/bin/python" -W error "$SOURCE/tests/e2e/python_client.py" "127.0.0.1" "$port" \
    "http://127.0.0.1:$collateral_port" "$work/sim/quote-simulation/root.pem" "$(ctl measure "$BUILD/enclave_os.signed")" \
    "$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)" "$policy" ||
    fail "the Python client"

# The CA, by API and by command, is the one that enclavectl saves; nothing is written unless the enclave is the one meant.
mrenclave=$(ctl measure "$BUILD/enclave_os.signed")
named=https://localhost:$port
ctl ca "$named" --out "$work/ca.pem" --allow-simulation --mrenclave "$mrenclave" >/dev/null || fail "enclavectl ca"
save() { "$work/fresh/bin/enclave-verifier" ca "$named" --allow-simulation --out "$@" >"$work/said" 2>"$work/why"; }
refused() { # STATUS WHAT OPTION...
    local result=0
    save "$work/none.pem" "${@:3}" || result=$?
    equal "$result" "$1" "status of: ${*:3}: $(cat "$work/why")"
    contains "$(cat "$work/why")" "$2"
    [ ! -e "$work/none.pem" ] || fail "saved: ${*:3}"
}
check save "$work/command.pem" --mrenclave "$mrenclave"
check cmp "$work/command.pem" "$work/ca.pem"
contains "$(cat "$work/said")" "the CA with SHA-256 $(openssl x509 -in "$work/ca.pem" -outform DER | sha256sum | cut -d' ' -f1)"
equal "$(cat "$work/why")" "" "warnings"
check save "$work/command.pem" --mrenclave "$mrenclave" --pccs "http://127.0.0.1:$collateral_port" \
    --root "$work/sim/quote-simulation/root.pem" --require-collateral
check save "$work/again.pem" --issuer "$work/ca.pem"
check cmp "$work/again.pem" "$work/ca.pem"
check save "$work/any.pem" --any-instance
contains "$(curl -sS --cacert "$work/command.pem" "$named/hello/")" Hello
zeros=$(printf '00%.0s' $(seq 32))
refused 2 "nothing says which enclave"
refused 1 "mrenclave: " --mrenclave "$zeros"
refused 2 "--mrenclave" --mrenclave
refused 2 "expected 32 bytes, or 64 hex digits" --mrenclave 00
refused 2 "65536: expected a number from 0 to 65535" --mrsigner "$zeros" --prod-id 65536
refused 2 "x: expected OID=HEX" --extension x
refused 2 "--issuer is given twice" --issuer "$work/ca.pem" --issuer "$work/ca.pem"
refused 2 "issuer: expected one certificate in PEM, and nothing else" --issuer <(cat "$work/ca.pem" "$admin")
refused 2 "No such file" --issuer /nonexistent
refused 2 "not allowed with argument" --any-instance --pccs http://a --collateral "$work"
refused 2 "--accept-tcb needs" --any-instance --accept-tcb OutOfDate
refused 2 "unrecognized arguments: --any" --any
echo "someone's" >"$work/other.pem"
! save "$work/other.pem" --any-instance || fail "written over another file"
contains "$(cat "$work/why")" "another enclave now"
equal "$(cat "$work/other.pem")" "someone's"
! save "$work" --any-instance || fail "into a folder"
contains "$(cat "$work/why")" "--out $work: it is a folder"
! "$work/fresh/bin/enclave-verifier" ca "http://localhost:$port" --any-instance --out "$work/none.pem" 2>"$work/why" || fail "http"
contains "$(cat "$work/why")" "http://localhost:$port: expected https://HOST[:PORT]"
"$work/fresh/bin/python" -m enclave_verifier ca "$url" --allow-simulation --any-instance --out "$work/ip.pem" >/dev/null || fail "python -m"
"$work/fresh/bin/python" -W error - "$named" "$work" "$mrenclave" <<'PYTHON' || fail "fetch_ca and save_ca"
import sys
from enclave_verifier import ExistsError, NotVerified, Policy, fetch_ca, save_ca

url, work, mrenclave = sys.argv[1:]
right = Policy(mrenclave=mrenclave, allow_simulation=True)
saved = open(work + "/ca.pem").read()
assert fetch_ca(url, right) == saved == save_ca(url, work + "/api.pem", right) == save_ca(url, work + "/api.pem", right)
open(work + "/empty.pem", "w").close()
assert save_ca(url, work + "/empty.pem", right) == open(work + "/empty.pem").read()
for error, policy, arguments in ((ValueError, Policy(allow_simulation=True), {}), (NotVerified, Policy(mrenclave=mrenclave), {}),
                                 (NotVerified, Policy(mrenclave="00" * 32, allow_simulation=True), {}),
                                 (NotVerified, Policy(), {"any_instance": True})):
    try:
        save_ca(url, work + "/none.pem", policy, **arguments)
        raise SystemExit(f"saved for {error}")
    except error as e:
        assert str(e)
for bad in ("localhost", "http://localhost", "https://", "https://a/path", "https://a:0", "https://a:b", "https://u@a", "https://a b"):
    try:
        fetch_ca(bad, right)
        raise SystemExit(f"{bad} was taken")
    except ValueError as e:
        assert "expected https://HOST[:PORT]" in str(e), e
try:
    save_ca(url, work + "/other.pem", right)
    raise SystemExit("written over another file")
except ExistsError:
    pass
PYTHON
ls "$work"/*.tmp* 2>/dev/null && fail "files are left behind"
[ ! -e "$work/none.pem" ] || fail "something was saved"

# the documented schema: a good result, a bad one, one with little in it
ctl verify "$url" --policy "$policy" --json >"$work/1.json"
ctl verify "$url" --pccs "http://127.0.0.1:$collateral_port" --json >"$work/2.json" || true
ctl verify "$url" --allow-simulation --app "hello=$(printf '00%.0s' $(seq 32))" --app "b=$(printf '00%.0s' $(seq 32))" \
    --json >"$work/3.json" || true
ctl verify "$url" --allow-simulation --json >"$work/4.json" || true
"$work/fresh/bin/python" - "$SOURCE/docs/verify.schema.json" "$work"/[1234].json <<'PYTHON' || fail "the schema"
import json, sys
import jsonschema

schema, *results = [json.load(open(path)) for path in sys.argv[1:]]
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for result in results:
    validator.validate(result)
    unknown = set(result) - set(schema["properties"])
    assert not unknown, f"not in the schema: {unknown}"
assert [r["verified"] for r in results] == [True, False, False, False]
assert [r["verdict"] for r in results] == ["verified", "refused", "refused", "genuine"]
assert results[0]["tcb_status"] == "Unknown" and results[0]["url"].startswith("https://")
assert len(results[2]["checks"]) == len(results[0]["checks"]) + 5
for broken in ({}, {**results[0], "verified": "yes"}, {**results[0], "mrenclave": "00"}, {**results[0], "checks": []}):
    assert not validator.is_valid(broken), "the schema takes anything"
PYTHON

# policy files: the schema, the C reader and the binding agree about each; what is written is by the schema, and the same
"$work/fresh/bin/python" -W error - "$SOURCE" "$url" "$policy" <<'PYTHON' || fail "policy files"
import json, pathlib, sys
import jsonschema
from enclave_verifier import NotVerified, Policy, policy_from

source, url, known = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
schema = json.loads((source / "docs/policy.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
files = sorted((source / "verifier/testing/policies").glob("*.json"))
assert len(files) > 40
for path in files:
    good = path.name.startswith("good-")
    value = json.loads(path.read_text())
    assert validator.is_valid(value) == good, f"the schema about {path.name}"
    for read in (lambda: Policy.load(path), lambda: Policy(file=value), lambda: Policy(file=path.read_text())):
        try:
            read()
            assert good, f"{path.name} was taken"
        except ValueError as e:
            assert not good and str(e).startswith("policy: "), f"{path.name}: {e}"
first = json.loads(pathlib.Path(known).read_text())
validator.validate(first)
text = policy_from(url, Policy.load(known))
validator.validate(json.loads(text))
seen = Policy(file=text)
assert seen.names_instance and seen.names_enclave and seen.needs_manifest
assert policy_from(url, seen) == text
assert json.loads(policy_from(url, Policy.load(known), who=True)) == first
try:
    policy_from(url, Policy())
    raise SystemExit("a policy was written of a simulation")
except NotVerified:
    pass
for bad in (dict(file=text, instance="00" * 32), dict(file=b"{}"), dict(file="[]"), dict(instance="00")):
    try:
        Policy(**bad)
        raise SystemExit(f"{bad} was taken")
    except ValueError:
        pass
PYTHON

# the commands: the same files, words and exit status as enclavectl's
verifier() { "$work/fresh/bin/enclave-verifier" "$@" >"$work/said" 2>"$work/why"; }
ends() { # STATUS ARGUMENT...
    local result=0
    verifier "${@:2}" || result=$?
    equal "$result" "$1" "status of enclave-verifier ${*:2}: $(cat "$work/why")"
}
ends 0 policy from "$url" --policy "$policy" --out "$work/python.json"
ctl policy from "$url" --policy "$policy" --out "$work/ctl.json" || fail "enclavectl policy"
check cmp "$work/python.json" "$work/ctl.json"
ends 0 verify "$url" --policy "$work/python.json"
ends 0 verify "$url" --policy "$work/ctl.json" --json
contains "$(cat "$work/said")" '"verdict": "verified"'
ends 3 verify "$url" --allow-simulation --mrenclave "$mrenclave"
ends 1 verify "$url" --policy "$policy" --min-svn 9
ends 1 verify "$url" --mrenclave "$mrenclave"
ends 2 verify "$url" --policy /nonexistent
ends 2 verify "$url" --policy "$work/ctl.json" --instance "$zeros"
ends 1 policy from "$url" --policy "$policy" --out "$work/ca.pem"
contains "$(cat "$work/why")" "which is left as it is"
check stop
