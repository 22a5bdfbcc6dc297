#!/usr/bin/env bash
# The Go library against a live server: by what it shows, by what a policy knows of it, behind relays, after it has changed,
# and beside another instance.
. "$(dirname "$0")/lib.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os # of scripts/progress.sh, which says more than is wanted here
cd "$SOURCE/bindings/go"
. ../../scripts/go.sh
PATH=$(dirname "$(go_program)"):$PATH
export GOTOOLCHAIN=local GOWORK=off GOFLAGS=-buildvcs=false GOPROXY=off
# Its README's commands, in a copy of the folder, and the program that it shows.
export CHECKOUT=$work/checkout
mkdir -p "$CHECKOUT/bindings" "$work/client"
cp -r "$SOURCE/bindings/go" "$CHECKOUT/bindings/"
command_of() { grep -xE "    $1.*" "$SOURCE/bindings/go/README.md" || fail "README.md has no command $1"; }
(cd "$CHECKOUT" && eval "$(command_of 'go build -C')")
awk '/^```go$/ {on = 1; next} /^```$/ {on = 0} on' README.md >"$work/shown.go"
go test -c -o "$work/live" .

pccs_port=$(free_port)
check start --collateral-listen "127.0.0.1:$pccs_port"
push hello hello-c
pccs=http://127.0.0.1:$pccs_port
root=$work/sim/quote-simulation/root.pem
mrenclave=$(ctl measure "$BUILD/enclave_os.signed")
whole=$work/whole.json
ctl policy from "$url" --out "$whole" --mrenclave "$mrenclave" --root "$root" --pccs "$pccs" --allow-simulation --only-apps 2>/dev/null
contains "$(cat "$whole")" '"log"'

fetch() { "$CHECKOUT/bindings/go/enclave-fetch" "${@:1:$#-1}" "$url${*: -1}"; } # OPTION... PATH
refused() { # STATUS WHAT OPTION... PATH
    local result=0
    fetch "${@:3}" >"$work/said" 2>"$work/why" || result=$?
    equal "$result" "$1" "status of ${*:3}: $(cat "$work/why")"
    contains "$(cat "$work/why")" "$2"
    equal "$(cat "$work/said")" "" "answer of ${*:3}"
}

# ---- as it is written -------------------------------------------------------------------------------------------------
written() { sed "s|https://pccs.example:8081|$pccs|; s|https://enclave.example:8443|$url|; s|policy.json|$whole|" <<<"$1"; }
written "$(cat "$work/shown.go")" >"$work/client/main.go"
(cd "$work/client" && eval "$(command_of 'go mod init'; command_of 'go mod edit'; command_of 'go build -o')") || fail "README.md's program"
contains "$("$work/client/client")" Hello
contains "$(cd "$CHECKOUT" && eval "$(written "$(command_of bindings/go/enclave-fetch)")")" Hello

# ---- what is expected -------------------------------------------------------------------------------------------------
contains "$(fetch -policy "$policy" /hello/)" Hello
contains "$(fetch -policy "$policy" -fresh /hello/)" Hello
contains "$(fetch -policy "$whole" -pccs "$pccs" -fresh /hello/)" Hello
mkdir "$work/collateral"
ctl verify "$url" --policy "$whole" --pccs "$pccs" --save-collateral "$work/collateral" >/dev/null || fail "enclavectl verify"
contains "$(fetch -policy "$whole" -collateral "$work/collateral" /hello/)" Hello
printf '{"format":"enclave-os-policy/1","allow_simulation":true}' >"$work/any.json"
contains "$(fetch -policy "$work/any.json" -any-instance /hello/)" Hello
ENCLAVE_ADDRESS=127.0.0.1:$port ENCLAVE_POLICY=$policy "$work/live" -test.run 'TestLiveTLSConfig' -test.v >"$work/tests" 2>&1 ||
    fail "$(cat "$work/tests")"
contains "$(cat "$work/tests")" "--- PASS: TestLiveTLSConfig"
# without what the policy requires of collateral, which the relays cannot show
python3 - "$whole" >"$work/bare.json" <<'PYTHON'
import json, sys
policy = json.load(open(sys.argv[1]))
del policy["collateral"]
print(json.dumps(policy))
PYTHON
ENCLAVE_ADDRESS=127.0.0.1:$port ENCLAVE_POLICY=$work/bare.json "$work/live" -test.run 'TestLiveRelays' -test.v >"$work/tests" 2>&1 ||
    fail "$(cat "$work/tests")"
contains "$(cat "$work/tests")" "--- PASS: TestLiveRelays"

# ---- what is not ------------------------------------------------------------------------------------------------------
change() { python3 -c 'import json, sys; p = json.load(open(sys.argv[1])); exec(sys.argv[2]); print(json.dumps(p))' "$1" "$2" >"$work/changed.json"; }
change "$policy" 'p["mrenclave"] = ["00" * 32]'
refused 1 "mrenclave: $mrenclave, expected 0000" -policy "$work/changed.json" /hello/
change "$policy" 'del p["allow_simulation"]'
refused 1 "root: the chain ends in a simulation root" -policy "$work/changed.json" /hello/
refused 1 "collateral: none was given, and the caller requires it" -policy "$whole" /hello/
change "$whole" 'p["apps"][0]["sha256"] = "00" * 32'
refused 1 "app: hello: " -policy "$work/changed.json" -pccs "$pccs" /hello/
change "$whole" 'p["log"]["root"] = "00" * 32'
refused 1 "log history: seen before" -policy "$work/changed.json" -pccs "$pccs" /hello/
change "$whole" 'p["administrators"]["keys"] = []'
refused 1 "administrators: " -policy "$work/changed.json" -pccs "$pccs" /hello/
refused 2 "fresh: there is no such member" -policy <(echo '{"format":"enclave-os-policy/1","fresh":true}') /hello/
refused 3 "does not say whose enclave" -policy "$work/any.json" /hello/
refused 3 "404" -policy "$policy" /nothing/
refused 3 "connection refused" -policy "$policy" -pccs "http://127.0.0.1:1" /hello/

# ---- when it changes: an app more is not what was pinned, and what was seen of the history still stands in it ---------------
push again hello-c
refused 1 "only apps: 1 that the caller does not name: again" -policy "$whole" -pccs "$pccs" /hello/
ctl app rm again "${to[@]}" >/dev/null
contains "$(fetch -policy "$whole" -pccs "$pccs" /hello/)" Hello

# ---- another instance of the same program, and no server --------------------------------------------------------------------
stop
refused 3 "connection refused" -policy "$policy" /hello/
cp "$policy" "$work/first.json"
check start --data "$work/other"
refused 1 "instance: " -policy "$work/first.json" /hello/
contains "$(cat "$work/why")" "certificate issuer: "
