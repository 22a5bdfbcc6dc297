#!/usr/bin/env bash
# An upgrade that publishers have a word in, of a server with two workers, and with two who would have the instance: it takes
# the agreement of each publisher, for this instance and that image; what changes behind an approval takes it back before
# anybody waits; and where two are approved, one of them gets the instance.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
make_image "$work/next.signed" 2 575
next=$(ctl measure "$work/next.signed" | grep -oE '[0-9a-f]{64}' | head -n 1)
wasm=$BUILD/apps/hello-c.wasm
for name in p q stranger; do ctl keygen "$work/$name" >/dev/null; done
push_of() { # APP KEY
    ctl publish "$1" "$wasm" --version 1 --key "$work/$2" --out "$work/$1.publication"
    ctl app push "$1" "$wasm" --rule "publisher:$work/$2.pub" --publication "$work/$1.publication" "${to[@]}" >/dev/null
}

check start --upgrade-rule signer --workers 2
push_of v p
ctl app push ice "$wasm" --rule frozen "${to[@]}" >/dev/null
push counter counter-c
ctl upgrade-rule show --json "${to[@]}" | python3 -c 'import json, sys
rule = {k: v for k, v in json.load(sys.stdin).items() if k in ("rule", "mrsigner", "product", "svn")}
print(json.dumps(rule | {"publishers": True}))' >"$work/rule.json"
check ctl upgrade-rule set "$work/rule.json" "${to[@]}" >/dev/null
instance=$(get /_enclave/manifest | python3 -c 'import json, sys
print(*(l["value"] for l in json.load(sys.stdin)["leaves"] if l["label"] == "instance"))')
serves() { equal "$(status /v/)$(status /ice/)" 200200 "$1: the old one's apps"; }

# ---- whose agreement is missing ----
new_begin --workers 2
await "the new one" shown
await "the old one's knowledge of it" known
upgrade() { ctl upgrade --data "$work/new-data" --new-url "$new_url" --mrenclave "$next" "${to[@]}" "$@"; }
agree() { ctl upgrade-rule agree --key "$work/$1" --instance "$2" --measurement "$3" --out "$work/$4"; }
refused() { # WHAT WHOSE [option ...]
    upgrade "${@:3}" >"$work/said" 2>"$work/errors" && fail "$1: not refused"
    contains "$(cat "$work/errors")" "the publisher of app $2 has not agreed to this measurement"
    ! logged "is approved: " || fail "$1: approved"
    serves "$1"
}
agree p "$instance" "$next" p.agreed
agree q "$instance" "$next" q.agreed
agree p "$instance" "$(ctl measure "$BUILD/enclave_os.signed" | grep -oE '[0-9a-f]{64}' | head -n 1)" p.measurement
agree p "$(printf '7%.0s' $(seq 64))" "$next" p.instance
agree stranger "$instance" "$next" stranger.agreed
refused "no agreement" v
refused "an agreement to another measurement" v --agreement "$work/p.measurement"
refused "an agreement for another instance" v --agreement "$work/p.instance"
refused "a stranger's agreement" v --agreement "$work/stranger.agreed" --agreement "$work/q.agreed"
contains "$(approve "$(recipient)" "$admin" "$work/v.publication")" "has not agreed" # what p has signed, of another kind

# ---- approved, and then there is one more to be asked: nobody waits for what comes to nothing ----
kill -STOP "$new_server"
equal "$(approve "$(recipient)" "$admin" "$work/p.agreed" | tail -n 1)" 200
push_of w q
kill -CONT "$new_server"
await "what becomes of the approval" logged "is approved no more: the publisher of app w has not agreed to this measurement"
await "what the new one says" new_logged "the publisher of app w has not agreed"
await "its question" new_logged "no administrator has approved this recipient"
! logged "it came to nothing" || fail "serving was paused for it"
serves "a publisher more"
refused "the agreement of one of two" w --agreement "$work/p.agreed"

# ---- two who would have it, approved both ----
second=$work/second-data
: >"$work/second.log"
"$HOST" serve --image "$work/next.signed" --listen 127.0.0.1:0 --data "$second" --sim-dir "$work/sim" --take-over "$url" \
    >>"$work/second.log" 2>&1 &
second_server=$!
second_known() { [ -s "$second/recipient" ] && old_log "recipient $(cat "$second/recipient") may be approved"; }
await "a second one" second_known
kill -STOP "$new_server" "$second_server"
for name in "$(cat "$second/recipient")" "$(recipient)"; do
    equal "$(approve "$name" "$admin" "$work/q.agreed" "$work/p.agreed" | tail -n 1)" 200
done
kill -CONT "$second_server"
await "the commit" logged "this instance has been given"
kill -CONT "$new_server"
await "the second one" grep -q '^ready' "$work/second.log"
old_ends || fail "the old one ended with $?"
await "what the other one is told" new_logged "the instance has been handed over to another recipient\|it gives no answer"
! new_ready || fail "both serve"
second_url=$(sed -n 's/^ready.*listening on //p' "$work/second.log")
for app in v w ice counter; do
    equal "$(ask -o /dev/null -w '%{http_code}' "$second_url/$app/")" 200 "the app $app, of the new one"
done
kill -TERM "$second_server" "$new_server"
wait "$second_server" || fail "the one that serves ended with $?"
new_ends || fail "the one that waits ended with $?"
