#!/usr/bin/env bash
# What administrators have approved is what happens: each part of each request that approvals exist for is exchanged behind them,
# and refused; and what a publisher's first push is approved with is shown to whoever approves.
. "$(dirname "$0")/lib.sh"
wasm=$BUILD/apps/hello-c.wasm
for name in b publisher stranger; do ctl keygen "$work/$name.key" >/dev/null; done
check start
by() { local key=$1; shift; ctl "$@" --url "$url" --policy "$policy" --admin-key "$key"; }
by "$admin" admin add "$work/b.key.pub" --role admin >/dev/null
by "$admin" admin threshold 2 >/dev/null
publish() { ctl publish "$@" --key "$work/publisher.key"; }
publish vault "$wasm" --version 3 --egress api.example.com --memory-mib 64 --timeout-ms 500 --settings config --out "$work/meant"
publish vault "$wasm" --version 1 --out "$work/worse" # by the same publisher, of the same code: it fixes nothing

# ---- shown before anybody signs ----
vault=(app push vault "$wasm" --rule "publisher:$work/publisher.key.pub")
by "$admin" "${vault[@]}" --publication "$work/meant" --propose "$work/proposal" >/dev/null
shown=$(ctl admin approve "$work/proposal" --admin-key "$work/b.key" --out "$work/approval")
key=$(openssl pkey -pubin -in "$work/publisher.key.pub" -outform DER | sha256sum | cut -c1-64)
for part in "push an app: vault" "code's SHA-256: $(sha256sum <"$wasm" | cut -c1-64)" "SHA-256 of the publisher's key: $key" \
    "publication: $(tr -d '\n' <"$work/meant" | sha256sum | cut -c1-64)" "version: 3" 'egress: ["api.example.com"]' \
    "memory_mib: 64" "timeout_ms: 500" 'settings: ["config"]' "egress_ca: whichever the server has" "app_id: a first push"; do
    contains "$shown" "$part"
done
by "$admin" "${vault[@]}" --publication "$work/meant" --now --exclusive --propose "$work/how" >/dev/null
shown=$(ctl admin approve "$work/how" --admin-key "$work/b.key" --out "$work/none")
contains "$shown" "cut at once"
contains "$shown" "before what it was has ended"

# A proposal whose parts do not go together is signed by nobody.
unsigned() { # WORDS EXPRESSION: of python, over the proposal p
    rm -f "$work/none"
    python3 - "$work/proposal" "$work/bad" "$work" <<PY
import hashlib, json, re, sys
p, work = json.load(open(sys.argv[1])), sys.argv[3]
read = lambda name: open(f"{work}/{name}").read().strip()
sha = lambda text: hashlib.sha256(text.encode()).hexdigest()
def named(text):
    p["publication"] = text
    p["path"] = re.sub("publication=[0-9a-f]*", "publication=" + sha(text), p["path"])
$2
json.dump(p, open(sys.argv[2], "w"))
PY
    ! ctl admin approve "$work/bad" --admin-key "$work/b.key" --out "$work/none" >"$work/why" 2>&1 || fail "approved: $2"
    contains "$(cat "$work/why")" "$1"
    [ ! -e "$work/none" ] || fail "signed: $2"
}
ctl publish vault "$wasm" --version 3 --key "$work/stranger.key" --out "$work/strange"
publish other "$wasm" --version 3 --out "$work/other-name"
publish vault "$BUILD/apps/echo.wasm" --version 3 --out "$work/other-code"
unsigned "not the one that would be approved" 'p["publication"] = read("worse")'
unsigned "not what --propose writes" 'del p["publication"]'
unsigned "not what --propose writes" 'p["path"] = re.sub("&publication=[0-9a-f]*", "", p["path"])'
unsigned "not signed by the publisher's key" 'named(read("strange"))'
unsigned "for another app" 'named(read("other-name"))'
unsigned "for other code" 'named(read("other-code"))'
unsigned "not what enclavectl publish makes" 'named("e30.e30.AAAA")'
unsigned "not what --propose writes" 'p["path"] += "&more=true"'
unsigned "not what --propose writes" 'p["path"] += "&now=false"'
unsigned "not what --propose writes" 'p["path"] += "&rule=frozen"'
unsigned "not what --propose writes" 'p["path"] = p["path"].replace("rule=publisher", "rule=operator")'
unsigned "not what --propose writes" 'p["path"] = p["path"].replace("/vault", "/vault/settings")'
unsigned "not what --propose writes" 'p["method"] = "DELETE"'
unsigned "not what --propose writes" 'p["method"] = "POST"'
unsigned "not what --propose writes" 'del p["body_sha256"]; p["body"] = "x"'

# ---- by the command: another publication under the approvals of the first ----
! by "$admin" "${vault[@]}" --publication "$work/worse" --approval "$work/approval" >"$work/why" 2>&1 || fail "other terms under the approvals"
contains "$(cat "$work/why")" "approval 1 is for another request"
by "$admin" "${vault[@]}" --publication "$work/meant" --approval "$work/approval" >/dev/null
rule=$(get /_enclave/manifest | python3 -c 'import json, sys
for leaf in json.load(sys.stdin)["leaves"]:
    if leaf["label"] == "rule:vault":
        print(bytes.fromhex(leaf["value"]).decode())')
contains "$rule" "version=3"
contains "$rule" "egress=api.example.com:443"

# ---- by hand: every request, every part of it ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=one -out "$work/ca.pem" 2>/dev/null
for name in issuer another; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$name.key" -subj "/CN=$name" -out "$work/$name.pem" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=two -out "$work/evil.pem" 2>/dev/null
publish table "$wasm" --version 3 --egress api.example.com --out "$work/table-meant"
publish table "$wasm" --version 1 --out "$work/table-worse"
check python3 "$(dirname "$0")/approvals.py" "$port" "$(spki_sha256)" "$work" "$admin" "$work/b.key" "$wasm" \
    "$(openssl pkey -pubin -in "$work/publisher.key.pub" -outform DER | od -An -tx1 | tr -d ' \n')" "$SOURCE"
check stop
echo "approvals: ok"
