#!/usr/bin/env bash
# Several administrators: what each role may do, changes that take two of them together, and who was revoked.
. "$(dirname "$0")/lib.sh"
large=notes-python
[ -e "$BUILD/apps/$large.wasm" ] || { echo "apps/build.sh has not built $large"; exit 77; }
for name in b c deploy monitor stranger; do ctl keygen "$work/$name" >/dev/null; done
check start

trust=(--url "$url" --policy "$policy")
by() { local key=$1; shift; ctl "$@" "${trust[@]}" --admin-key "$key"; }
refused() { # WHAT PART COMMAND...: it fails, and says so
    local what=$1 part=$2 said
    shift 2
    said=$("$@" 2>&1) && fail "$what: not refused"
    contains "$said" "$part"
}
thumb() { openssl pkey -pubin -in "$1.pub" -outform DER | sha256sum | cut -c1-64; }
agree() { # COMMAND...: $admin asks, b approves
    by "$admin" "$@" --propose "$work/proposal" >/dev/null
    ctl admin approve "$work/proposal" --admin-key "$work/b" --out "$work/approval" >/dev/null
    by "$admin" "$@" --approval "$work/approval"
}

# One, then several.
contains "$(by "$admin" admin ls)" "admin    $(thumb "$admin")"
contains "$(by "$admin" admin ls)" "takes 1 of 1 admins"
refused "the last admin" "nobody could change anything" by "$admin" admin rm "$(thumb "$admin")"
refused "a role too low for the last admin" "nobody could change anything" \
    by "$admin" admin replace "$admin.pub" "$admin.pub" --role deploy
refused "a threshold beyond the admins" "from 1 to 1" by "$admin" admin threshold 2
refused "a secret key" "the secret half" by "$admin" admin add "$work/b" --role admin
check by "$admin" admin add "$work/b.pub" --role admin >/dev/null
check by "$work/b" admin add "$work/deploy.pub" --role deploy >/dev/null
check by "$admin" admin add "$work/monitor.pub" --role monitor >/dev/null
refused "a key twice" "one key has one role" by "$admin" admin add "$work/deploy.pub" --role admin
refused "a threshold beyond the admins" "from 1 to 2" by "$admin" admin threshold 3
contains "$(by "$admin" admin threshold 2)" "takes 2 of 2 admins"

# What each may.
d=$work/deploy m=$work/monitor
echo '{"config":{"a":"b"}}' >"$work/settings.json"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=ca -out "$work/ca.pem" 2>/dev/null
check by "$d" app push hello "$BUILD/apps/hello-c.wasm" >/dev/null
check by "$d" app settings hello "$work/settings.json" >/dev/null
check by "$d" app settings hello >/dev/null
check by "$d" app list >/dev/null
check by "$d" get /status >/dev/null
check by "$d" admin ls >/dev/null
refused "deploy and the egress CA" "takes the role admin" by "$d" egress-ca set "$work/ca.pem"
refused "deploy and no egress CA" "takes the role admin" by "$d" egress-ca rm
refused "deploy and administrators" "takes the role admin" by "$d" admin add "$work/c.pub" --role admin
refused "deploy that makes itself admin" "takes the role admin" by "$d" admin replace "$d.pub" "$d.pub" --role admin
check by "$d" app rm hello >/dev/null
check by "$m" get /metrics >/dev/null
check by "$m" get /readyz >/dev/null
for command in "app list" "app push hello $BUILD/apps/hello-c.wasm" "app settings hello" "app rm hello" "egress-ca show" \
    "admin ls" "admin threshold 1"; do
    refused "monitor: $command" "takes the role" by "$m" $command
done
refused "a stranger" "not signed by the key of an administrator" by "$work/stranger" app list
check by "$work/b" egress-ca set "$work/ca.pem" >/dev/null

# Two together.
refused "one alone" "takes the tokens of 2 admins together: there are 1" by "$admin" admin threshold 1
check agree admin add "$work/c.pub" --role admin >/dev/null
contains "$(by "$admin" admin ls)" "takes 2 of 3 admins"
refused "approvals of before" "another body" by "$admin" admin rm "$work/c.pub" --approval "$work/approval"
by "$admin" admin rm "$work/c.pub" --propose "$work/proposal" >/dev/null
for who in "$work/deploy" "$work/monitor"; do
    ctl admin approve "$work/proposal" --admin-key "$who" --out "$work/approval" >/dev/null
    refused "an approval by $who" "admins alone approve" by "$admin" admin rm "$work/c.pub" --approval "$work/approval"
done
ctl admin approve "$work/proposal" --admin-key "$work/stranger" --out "$work/approval" >/dev/null
refused "a stranger's approval" "approval 1 is not signed" by "$admin" admin rm "$work/c.pub" --approval "$work/approval"
ctl admin approve "$work/proposal" --admin-key "$admin" --out "$work/approval" >/dev/null
refused "one's own approval" "has asked or approved already" by "$admin" admin rm "$work/c.pub" --approval "$work/approval"
contains "$(by "$work/b" admin approve "$work/proposal" --out "$work/approval")" "proposed, for the enclave"
contains "$(by "$admin" admin rm "$work/c.pub" --approval "$work/approval")" "takes 2 of 2 admins"
refused "a proposal that is over" "have changed since" by "$work/b" admin approve "$work/proposal" --out "$work/approval"

# Rules that bind administrators: fixed, and ended, by two of them, whoever asks.
bound=(app push bound "$BUILD/apps/hello-c.wasm" --rule frozen)
refused "a rule by one admin" "takes the tokens of 2 admins together: there are 1" by "$admin" "${bound[@]}"
refused "a rule by who deploys" "takes the tokens of 2 admins together: there are 0" by "$d" "${bound[@]}"
by "$d" "${bound[@]}" --propose "$work/proposal" >/dev/null
shown=$(ctl admin approve "$work/proposal" --admin-key "$admin" --out "$work/approval")
contains "$shown" "push an app: bound"
contains "$shown" "rule: frozen"
refused "a rule by who deploys, and one admin" "there are 1" by "$d" "${bound[@]}" --approval "$work/approval"
sed 's/bound?rule=frozen/bound\/settings/' "$work/proposal" >"$work/settings-proposal" # which nobody proposes, and is no push of code
! ctl admin approve "$work/settings-proposal" --admin-key "$work/b" --out "$work/none" 2>"$work/why" || fail "settings approved as code"
contains "$(cat "$work/why")" "not what --propose writes"
[ ! -e "$work/none" ] || fail "an approval of settings"
sed 's/bound?rule=frozen/bound\\u001b[1A?rule=frozen/' "$work/proposal" >"$work/moving-proposal" # what is shown moves no cursor
! ctl admin approve "$work/moving-proposal" --admin-key "$work/b" --out "$work/none" >"$work/why" 2>&1 || fail "a path with controls"
contains "$(cat "$work/why")" "not what --propose writes"
contains "$(by "$work/b" admin approve "$work/proposal" --out "$work/approval2")" "$(sha256sum <"$BUILD/apps/hello-c.wasm" | cut -c1-64)"
refused "approvals of other code" "another body" by "$d" app push bound "$BUILD/apps/echo.wasm" --rule frozen \
    --approval "$work/approval" --approval "$work/approval2"
refused "approvals of another rule" "another request" by "$d" app push bound "$BUILD/apps/hello-c.wasm" \
    --approval "$work/approval" --approval "$work/approval2"
check by "$d" "${bound[@]}" --approval "$work/approval" --approval "$work/approval2" >/dev/null
refused "the end of a rule by one" "ends with it" by "$d" app rm bound
check agree app rm bound >/dev/null
equal "$(status /bound/)" 404
check agree "${bound[@]}" >/dev/null
check agree app rm bound >/dev/null
check by "$d" app push free "$BUILD/apps/hello-c.wasm" --rule operator >/dev/null # which binds nobody
check by "$d" app rm free >/dev/null

# By hand: each way in which tokens that are good by themselves are not good together.
spki=$(spki_sha256)
path=/_enclave/administrators
by "$admin" admin ls --json | python3 -c '
import json, sys
now = json.load(sys.stdin)
print(json.dumps({"threshold": now["threshold"],
                  "administrators": [{m: one[m] for m in ("role", "public_key")} for one in now["administrators"]]}))' \
    >"$work/same.json"
token() { python3 "$(dirname "$0")/admin_token.py" "$1" "$spki" method=PUT "path=$path" scope= "body=$work/same.json" "${@:2}"; }
put() { # TOKEN [APPROVAL ...]: the status, and the body in $work/said
    local fields=() token=$1
    shift
    for approval in "$@"; do fields+=(-H "Enclave-Approval: $approval"); done
    ask -o "$work/said" -w '%{http_code}' -X PUT -H "Authorization: Bearer $token" "${fields[@]}" \
        --data-binary @"$work/same.json" "$url$path"
}
a1=$(token "$admin") b1=$(token "$work/b")
equal "$(put "$a1" "$b1")" 200 "two admins"
equal "$(put "$a1" "$b1")" 401 "both again"
equal "$(put "$(token "$admin")" "$b1")" 401 "the approval again"
contains "$(cat "$work/said")" "approval 1 was used before"
equal "$(put "$b1" "$(token "$admin")")" 401 "the approval again, as a request"
a2=$(token "$admin") # good until it is used
equal "$(put "$a2")" 403 "no approval"
equal "$(put "$a2" "$(token "$admin")")" 403 "one's own approval"
equal "$(put "$a2" "$(token "$work/b" path=/_enclave/apps)")" 401 "an approval of another path"
equal "$(put "$a2" "$(token "$work/b" method=DELETE)")" 401 "an approval of another method"
equal "$(put "$a2" "$(token "$work/b" scope=monitoring)")" 401 "an approval with a scope"
equal "$(put "$a2" "$(token "$work/b" aud=00)")" 401 "an approval for another enclave"
equal "$(put "$a2" "$(token "$work/b" body_sha256=00)")" 401 "an approval of another body"
equal "$(put "$a2" "$(token "$work/b" jti=short)")" 401 "an approval with a short jti"
equal "$(put "$a2" "$(token "$work/b" "jti=0123456789abcdef0")" "$(token "$work/stranger")")" 401 "one good approval, one bad"
equal "$(put "$a2" "$(token "$work/b")" nonsense)" 401 "an approval that is no token"
equal "$(put "$a2" "$(token "$work/b")" "$(token "$work/b")")" 403 "an approval by the same twice"
many=() && for i in $(seq 16); do many+=(x.y.z); done
equal "$(put "$a2" "${many[@]}")" 403 "more approvals than administrators"
equal "$(put "$a2" "$(token "$work/b" "jti=0123456789abcdef0")")" 200 "after all that: the same tokens"
equal "$(put "$(token "$admin" jti=0123456789abcdef1)" "$(token "$work/b" jti=0123456789abcdef1)")" 401 "one jti for both"

# Changes that race. Of two that were made from one list the first holds, and the other is refused; the approvals of one
# that was in time do not outlive who gave them.
check agree admin threshold 1 >/dev/null
for round in 1 2 3; do
    by "$admin" admin add "$work/c.pub" --role deploy >"$work/one" 2>&1 & one=$!
    by "$work/b" admin add "$work/stranger.pub" --role monitor >"$work/two" 2>&1 & two=$!
    made=0
    wait $one && made=$((made + 1)) || contains "$(cat "$work/one")" "have changed since this was made"
    wait $two && made=$((made + 1)) || contains "$(cat "$work/two")" "have changed since this was made"
    [ $made -ge 1 ] || fail "neither of two changes was made"
    now=$(by "$admin" admin ls)
    equal "$(grep -c -e "$(thumb "$work/c")" -e "$(thumb "$work/stranger")" <<<"$now")" $made "those whose addition was acknowledged"
    for key in c stranger; do
        case "$now" in *"$(thumb "$work/$key")"*) check by "$admin" admin rm "$work/$key.pub" >/dev/null ;; esac
    done
done
check agree admin threshold 2 >/dev/null

# Whoever is revoked while a request waits for its turn has asked in vain.
by "$admin" app push slow "$BUILD/apps/$large.wasm" >/dev/null & slow=$!
await "its compilation" metric_is app_changes_compiling 1
agree admin rm "$d.pub" >/dev/null & revoke=$!
await "the second change, which waits" metric_is app_changes_waiting 1
by "$d" app push late "$BUILD/apps/hello-c.wasm" >"$work/late" 2>&1 & late=$!
await "the third change, which waits" metric_is app_changes_waiting 2
check wait $slow
check wait $revoke
wait $late && fail "a key that was revoked has pushed"
contains "$(cat "$work/late")" "was revoked"
equal "$(status /late/)" 404 "what a revoked key pushed"
check agree admin add "$d.pub" --role deploy >/dev/null

# What clients see of them: a leaf each, and how many it takes; each change is a generation of its own.
leaves() { get /_enclave/manifest | python3 -c '
import json, sys
manifest = json.load(sys.stdin)
for leaf in manifest["leaves"]:
    value = bytes.fromhex(leaf["value"])
    if leaf["label"].startswith("admin:"):
        print(value[:value.index(0)].decode(), leaf["label"][6:], len(value) - value.index(0) - 1)
    if leaf["label"] == "administrators":
        print(value.decode())
print("generation", manifest["generation"])'; }
before=$(leaves)
for who in "admin $(thumb "$admin")" "admin $(thumb "$work/b")" "deploy $(thumb "$d")" "monitor $(thumb "$m")"; do
    contains "$before" "$who 91"
done
equal "$(grep -c " 91$" <<<"$before")" 4 "leaves of administrators"
contains "$before" "threshold=2"
number=$(sed -n 's/^generation //p' <<<"$before")
equal "$(put "$(token "$admin")" "$(token "$work/b")")" 200 "the same list again"
equal "$(grep -o '"generation":[0-9]*' "$work/said")" "\"generation\":$((number + 1))" "the generation of a change"

# Revoked: at once, on every connection, and after the next start, too.
cat >"$work/keep.py" <<'PY'
import http.client, ssl, sys
port, first, second = sys.argv[1:]
context = ssl._create_unverified_context()
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
def ask(token):
    connection.request("GET", "/_enclave/apps", headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    answer.read()
    return answer.status
print(ask(first), flush=True)
socket, connection.auto_open = connection.sock, 0 # no other connection
sys.stdin.readline()
try:
    print(ask(second), flush=True)
except (http.client.HTTPException, OSError):
    print("closed", flush=True)
PY
deploys() { token "$d" path=/_enclave/apps method=GET "body=/dev/null"; }
coproc old { python3 "$work/keep.py" "$port" "$(deploys)" "$(deploys)"; }
exec {from}<&"${old[0]}" {to}>&"${old[1]}"
read -r first <&"$from"
equal "$first" 200 "before it is revoked"
check agree admin rm "$work/deploy.pub" >/dev/null
echo >&"$to"
read -r second <&"$from"
case $second in 401 | closed) ;; *) fail "on a connection of before, who was revoked got: $second" ;; esac
refused "who was revoked" "not signed by the key of an administrator" by "$d" app list
check agree admin threshold 1 >/dev/null
check by "$admin" admin replace "$work/b.pub" "$work/c.pub" >/dev/null
refused "who was replaced" "not signed by the key of an administrator" by "$work/b" admin ls
now=$(by "$work/c" admin ls)
contains "$now" "takes 1 of 2 admins"
check stop
first=$admin admin=$work/b
check start
admin=$first
check logged "the admin key given now is no administrator's"
equal "$(by "$work/c" admin ls)" "$now" "the administrators after a restart"
refused "who was replaced" "not signed by the key of an administrator" by "$work/b" app list
check stop
