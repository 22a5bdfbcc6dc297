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

contains "$("$work/fresh/bin/python" -W error "$SOURCE/tests/e2e/python_vectors.py" "$SOURCE/verifier/vectors")" " vectors"

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
    policy_from(url, seen, who=True)
    raise SystemExit("what a policy pins is left out")
except ValueError as e:
    assert str(e) == "who: administrators of the policy that was given would not be written down", e
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
# each option of enclavectl verify is one of enclave-verifier verify, and both judge by it alike, in status and by verdict; but
# for --context, which names files of enclavectl's own
options_of() { "$@" verify --help | grep -oE '^ +--[a-z-]+' | tr -d ' ' | sort -u; }
equal "$(options_of "$work/fresh/bin/enclave-verifier")" "$(options_of "$BUILD/bin/enclavectl" | grep -vxF -e --context)" "the options"
judged() { # STATUS OPTION...
    local result=0
    ctl verify "$url" --allow-simulation --mrenclave "$mrenclave" "${@:2}" >"$work/said" 2>"$work/why" || result=$?
    equal "$result" "$1" "status of enclavectl verify ${*:2}: $(cat "$work/said" "$work/why")"
    ends "$1" verify "$url" --allow-simulation --mrenclave "$mrenclave" "${@:2}"
}
hello=$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)
key=$(openssl pkey -pubin -in "$admin.pub" -outform DER | sha256sum | cut -d' ' -f1)
judged 3 --app "hello=$hello" --only-apps --app-settings hello=none --egress hello=
judged 1 --app "hello=$zeros"
judged 3 --fresh
judged 0 --policy "$policy" --fresh
judged 1 --app "other=$hello"
judged 1 --app-settings "hello=$zeros"
judged 1 --egress hello=api.example
judged 0 --admin "$admin.pub"
judged 0 --policy "$policy" --admin "admin:$key" --admin-threshold 1 --only-apps --app "hello=$hello"
judged 1 --admin "deploy:$admin.pub"
judged 1 --admin "$zeros"
judged 1 --admin "$key" --admin "monitor:$zeros"
judged 1 --admin none
judged 2 --policy "$work/ctl.json" --admin "$zeros"
judged 2 --policy "$work/ctl.json" --app "hello=$zeros"
judged 2 --admin none --admin "$zeros"
judged 2 --admin "$zeros" --admin "deploy:$zeros"
judged 2 --admin "$admin"
judged 2 --admin /nonexistent
judged 2 --admin "$key" --admin-threshold 2
judged 2 --admin-threshold 1
judged 2 --app hello
judged 2 --app hello=00
judged 2 --app-settings hello=00
judged 2 --egress "hello=a b"
judged 2 --egress hello
judged 2 --save-collateral "$work"
judged 2 --save-collateral /nonexistent --pccs "http://127.0.0.1:$collateral_port"
judged 2 --pccs "http://127.0.0.1:$collateral_port" --pccs-ca "$work/ca.pem"
mkdir "$work/kept"
for command in "$BUILD/bin/enclavectl" "$work/fresh/bin/enclave-verifier"; do
    check "$command" verify "$url" --policy "$policy" --pccs "http://127.0.0.1:$collateral_port" --save-collateral "$work/kept" \
        --root "$work/sim/quote-simulation/root.pem" --require-collateral >/dev/null
    check "$command" verify "$url" --policy "$policy" --collateral "$work/kept" --root "$work/sim/quote-simulation/root.pem" \
        --require-collateral >/dev/null
    rm -r "$work/kept"
    mkdir "$work/kept"
done
ends 2 policy from "$url" --policy "$policy" --who --only-apps
ends 0 policy from "$url" --policy "$policy" --only-apps --out "$work/only.json"
ctl policy from "$url" --policy "$policy" --only-apps --out "$work/ctl-only.json" || fail "enclavectl policy --only-apps"
check cmp "$work/only.json" "$work/ctl-only.json"
ends 1 policy from "$url" --policy "$policy" --out "$work/ca.pem"
contains "$(cat "$work/why")" "which is left as it is"

# a history that both remember, in one file: what the one wrote, the other goes on from
for _ in 1 2; do
    push hello hello-c
    check ctl verify "$url" --policy "$policy" --log-state "$work/log.state" >/dev/null
    push hello hello-c
    ends 0 verify "$url" --policy "$policy" --log-state "$work/log.state"
done
equal "$(sed -n 5p "$work/log.state")" 6 "entries: the first, and five pushes"
ctl log "$url" --policy "$policy" --json >"$work/log.json"
# the same words, status and JSON, of all commands that read it; only the name before a complaint is another
alike() { # STATUS ARGUMENT...
    local result=0
    ctl "${@:2}" >"$work/ctl.said" 2>"$work/ctl.why" || result=$?
    equal "$result" "$1" "status of enclavectl ${*:2}: $(cat "$work/ctl.why")"
    ends "$@"
    check cmp "$work/said" "$work/ctl.said"
    check cmp <(sed 's/^enclave-verifier: /enclavectl: /' "$work/why") "$work/ctl.why"
}
alike 0 log "$url" --policy "$policy"
alike 0 log "$url" --policy "$policy" --json
alike 0 log "$url" --policy "$policy" --from 4 --log-state "$work/log.state"
alike 0 log "$url" --policy "$policy" --from 6 --json
alike 0 log "$url" --allow-simulation --mrenclave "$mrenclave"
alike 1 log "$url" --policy "$policy" --from 7
alike 1 log "$url" --policy "$policy" --min-svn 9
alike 1 log "$url"
alike 0 monitor "$url" --policy "$policy" --from 0 --count 6
alike 0 monitor "$url" --policy "$policy" --from 2 --count 4 --json
alike 1 monitor "$url" --policy "$policy" --min-svn 9
alike 1 monitor "$url" --policy "$policy" --app "hello=$zeros"
ends 2 log "$url" --from x
ends 2 log "$url" --from -1
ends 2 monitor "$url" --count 0
ends 2 monitor "$url" --interval 86401
cp "$work/log.state" "$work/kept.state"
for command in log monitor; do
    options_in() { "$@" "$command" --help | grep -oE '^ +--[a-z-]+' | tr -d ' ' | sort -u; }
    equal "$(options_in "$work/fresh/bin/enclave-verifier")" "$(options_in "$BUILD/bin/enclavectl" | grep -vxF -e --context)" "the options of $command"
done
# who follows: what was not said is not remembered, by either, and the other goes on from there
push hello hello-c
ctl app rm hello "${to[@]}" >/dev/null
ends 0 monitor "$url" --policy "$policy" --log-state "$work/kept.state" --count 1
contains "$(cat "$work/said")" "app push hello"
cmp -s "$work/kept.state" "$work/log.state" || fail "an entry that was not said is remembered"
ends 0 monitor "$url" --policy "$policy" --log-state "$work/kept.state" --count 2
contains "$(tail -n 1 "$work/said")" "app rm hello"
check ctl verify "$url" --policy "$policy" --log-state "$work/other.state" >/dev/null
check cmp "$work/other.state" "$work/kept.state"
# two clients
alike 0 log compare "$work/kept.state" "$work/other.state"
alike 3 log compare "$work/log.state" "$work/other.state"
alike 3 log compare "$work/log.state" "$work/other.state" --json
alike 0 log compare "$work/log.state" "$work/other.state" --url "$url"
ends 2 log compare "$work/log.state" "$work/ca.pem"
ends 2 log compare "$work/log.state" "$work/log.state" --url http://localhost
ends 2 log compare
push hello hello-c
check ctl verify "$url" --policy "$policy" --log-state "$work/log.state" >/dev/null
ctl log "$url" --policy "$policy" --json >"$work/log.json"
# files through links, with their permissions; and nothing else than files
mkdir "$work/elsewhere"
ln -s elsewhere/ca.pem "$work/linked.pem"
check save "$work/linked.pem" --any-instance
[ -L "$work/linked.pem" ] && cmp -s "$work/elsewhere/ca.pem" "$work/ca.pem" || fail "a link was replaced"
: >"$work/elsewhere/ca.pem"
chmod 604 "$work/elsewhere/ca.pem"
check save "$work/linked.pem" --any-instance
equal "$(stat -c %a "$work/elsewhere/ca.pem")" 604 "the file's permissions"
mkfifo "$work/pipe"
! save "$work/pipe" --any-instance || fail "written over a pipe"
contains "$(cat "$work/why")" "not a file"
"$work/fresh/bin/python" -W error - "$url" "$policy" "$work/log.state" "$work/log.json" <<'PYTHON' || fail "the log in Python"
import json, os, socket, sys, urllib.parse
import requests
from enclave_verifier import Log, LogError, NotVerified, Policy, client_context, fetch_log, judge, verify_socket
from enclave_verifier.requests import EnclaveAdapter

url, known, state, told = sys.argv[1], *sys.argv[2:]
def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
told = json.loads(read(told))
log = fetch_log(url, Policy.load(known))
assert (log.size, log.root.hex(), log.checkpoint) == (told["size"], told["root"], told["checkpoint"])
assert [json.loads(e) for e in log.entries()] == [e["entry"] for e in told["entries"]]
assert len(list(log.entries(4))) == log.size - 4 > 2
for bad in (-1, log.size):
    try:
        log.entry(bad)
        raise SystemExit("an entry that there is not")
    except IndexError:
        pass

# in every use of a policy, also with requests; a new file is made
again = state + ".again"
session = requests.Session()
session.trust_env = False
session.mount("https://", EnclaveAdapter(Policy.load(known, log_state=again)))
assert b"Hello" in session.get(url + "/hello/").content
assert read(again) == read(state)

# a head that this log does not go on from, signed by nobody we know; and a log that lies
place = urllib.parse.urlsplit(url)
pinned = json.loads(read(known))
pinned["log"] = {"key": read(state).split("\n")[1], "size": 3, "root": "00" * 32}
def refused(policy, check):
    with socket.create_connection((place.hostname, place.port)) as raw, client_context().wrap_socket(raw) as tls:
        try:
            verify_socket(tls, policy)
            raise SystemExit(f"{check} passed")
        except NotVerified as e:
            assert {c["name"] for c in e.result.failed} == {check}, e.result.failed
refused(Policy(file=pinned), "log history")
pinned["log"] = {"witnesses": ["witness.example/w1+a7e12144+BGG3op9v3HIXXDPBmFc/0CioJHhGCXc+pyvvFPlBZdYO"]}
refused(Policy(file=pinned), "log witnesses")
def wrong(path, limit):
    if path == "checkpoint":
        return log.checkpoint.encode()
    raise ConnectionError("no")
broken = Log(wrong)
try:
    broken.entry(0)
    raise SystemExit("an entry out of nothing")
except LogError as e:
    assert isinstance(e.__cause__, ConnectionError)
for nothing in (lambda path, limit: None, lambda path, limit: b"", lambda path, limit: b"x" * (limit + 1)):
    try:
        Log(nothing)
        raise SystemExit("a log out of nothing")
    except LogError:
        pass
os.truncate(again, 100)
try:
    Policy.load(known, log_state=again)
    raise SystemExit("a damaged file was taken")
except ValueError as e:
    assert "it is damaged" in str(e)
PYTHON
check stop
