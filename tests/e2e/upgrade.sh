#!/usr/bin/env bash
# A hand-over between two images of different measurement: who may not have the instance is refused, and the old one serves
# on; who may has all of it, under the same identity, and the old one ends and serves nobody ever again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
make_image "$work/next.signed" 2 575
make_image "$work/base.signed" 1 574
make_image "$work/lower.signed" 0 573
make_image "$work/stranger.signed" 2 572 "$work/stranger.pem"
make_image "$work/other.signed" 2 571 "" 7
# The same code with another engine, as far as that says of itself.
python3 - "$elf" "$BUILD/enclave/wasm/engine_id.h" "$work/engine.elf" <<'END'
import re, sys
code = bytearray(open(sys.argv[1], "rb").read())
engine = bytes(int(digits, 16) for digits in re.findall(r"0x(..)", open(sys.argv[2]).read()))
assert len(engine) == 32 and code.count(engine) == 1, code.count(engine)
code[code.index(engine)] ^= 1
open(sys.argv[3], "wb").write(code)
END
elf=$work/engine.elf make_image "$work/engine.signed" 2 570
IMAGE=$work/base.signed
count() { get /counter/ | grep -o '[0-9]*$' | tail -n 1; }
new_count() { new_get /counter/ | grep -o '[0-9]*$' | tail -n 1; }
leaf() { ask "$1/_enclave/manifest" | python3 -c 'import json, sys
for leaf in json.load(sys.stdin)["leaves"]:
    if leaf["label"] == sys.argv[1]:
        print(leaf["value"])' "$2"; }

check start --upgrade-rule measurements
push counter counter-c
equal "$(count)" 1

# refused WORDS IMAGE: it ends, and says why; the old one serves on
counted=1
refused() {
    NEW_IMAGE=$2 new_begin
    ! new_ends || fail "this image has what it may not have: $2"
    contains "$(cat "$work/new.log")" "$1"
    counted=$((counted + 1))
    equal "$(count)" $counted "the old one's counter, after $2"
    rm -rf "$work/new-data"
}

# ---- who may not ----
refused "measurement" "$work/next.signed" # which is not named yet
rule() { printf '%s' "$1" >"$work/rule"; ctl upgrade-rule set "$work/rule" "${to[@]}" >/dev/null; }
measured() { "$BUILD/bin/enclavectl" measure "$1"; }
compiled() { grep -c "another engine's: it was compiled again" "$work/new.log" || true; }
rule "{\"rule\":\"measurements\",\"measurements\":[\"$(measured "$work/next.signed")\",\"$(measured "$work/lower.signed")\",\"$(measured "$work/stranger.signed")\",\"$(measured "$work/other.signed")\"]}"
refused "SVN" "$work/lower.signed" # named, but older
# The same code signed by another, and another product: what the old one would give, the new one does not take.
refused "another signer" "$work/stranger.signed"
refused "another product" "$work/other.signed"

# ---- a host that keeps nothing ----
: >"$work/keeps-nothing"
HOST=$BUILD/bin/lying_store REFUSE=$work/keeps-nothing refused "take-over: this host does not keep what is begun (error 5)" "$work/next.signed"

# ---- who is not approved ----
new_begin
await "the recipient" shown
await "the old one's knowledge of it" known
new_waits() { new_logged "no administrator has approved this recipient"; }
await "its question" new_waits
# Led to another enclave, which would have it: what the first one knows it by is not lost for that one's.
other_port=$(free_port)
"$HOST" serve --image "$work/base.signed" --listen "127.0.0.1:$other_port" --data "$work/other-data" --sim-dir "$work/sim" \
    --admin-key "$admin.pub" --upgrade-rule signer >"$work/other.log" 2>&1 &
other_server=$!
other_ready() { grep -q '^ready' "$work/other.log" || { kill -0 $other_server 2>/dev/null || fail "$(cat "$work/other.log")"; false; }; }
await "another enclave" other_ready
kill -TERM $new_server
wait $new_server || true
before=$(recipient)
TAKE_FROM=https://127.0.0.1:$other_port new_begin
! new_ends || fail "it has another instance than it has begun with"
contains "$(cat "$work/new.log")" "another instance than this folder has begun with"
kill -TERM $other_server
wait $other_server || true
new_begin
await "its question again" new_waits
equal "$(recipient)" "$before" "the recipient"
equal "$(grep -c "recipient $before may be approved" "$work/server.log")" 1 "how often it was met"
answer=$(approve "$(printf '%064d' 7)")
contains "$answer" "no such recipient"
equal "${answer##*$'\n'}" 404
ctl keygen "$work/other.key" >/dev/null
refused_stranger() { [ "$(approve "$(recipient)" "$work/other.key" | tail -n 1)" = 401 ]; }
check refused_stranger
equal "$(status /_enclave/hand-over -X POST -d '{}')" 401 "nobody's approval"
for route in offer accept sealed; do # and who says nonsense
    [ "$(status /_enclave/hand-over/$route -X POST --data-binary nonsense)" = 400 ] || fail "$route takes nonsense"
    equal "$(status /_enclave/hand-over/$route)" 405 "GET $route"
    equal "$(head -c 2000000 /dev/zero | status /_enclave/hand-over/$route -X POST --data-binary @-)" 413 "a long $route"
done
counted=$((counted + 1))
equal "$(count)" $counted

# A second one that may be approved as well, and is not.
first_recipient=$(recipient)
: >"$work/second.log"
"$HOST" serve --image "$work/next.signed" --listen 127.0.0.1:0 --data "$work/second-data" --sim-dir "$work/sim" --take-over "$url" \
    >>"$work/second.log" 2>&1 &
second_server=$!
second_known() { [ -s "$work/second-data/recipient" ] && old_log "recipient $(cat "$work/second-data/recipient") may be approved"; }
await "a second recipient" second_known

# ---- who may, and is ----
instance=$(leaf "$url" instance) ca=$(leaf "$url" ca-certificate) log_key=$(leaf "$url" log-key)
before=$(get /_enclave/log/checkpoint | sed -n 2p)
mrenclave=$(measured "$work/next.signed") base=$(measured "$work/base.signed")
policed() { ctl "$1" "${@:2}" --allow-simulation --instance "$instance"; }
# Whom the administrator's policy does not accept is not approved, though the rule lets it have the instance.
! ctl upgrade --recipient "$first_recipient" --new-url "$new_url" "${to[@]}" >"$work/said" 2>"$work/errors" || fail "approved against the policy"
contains "$(cat "$work/errors")" "recipient $first_recipient: mrenclave: $mrenclave, expected $base"
contains "$(cat "$work/errors")" "nobody was approved"
! grep -q approved "$work/said" || fail "approved: $(cat "$work/said")"
new_waits || fail "$(cat "$work/new.log")"
answer=$(approve "$first_recipient")
equal "${answer##*$'\n'}" 200
contains "$answer" "\"mrenclave\":\"$mrenclave\""
await "the new one" new_ready
old_ends || fail "the old one ended with $?"
contains "$(cat "$work/server.log")" "the new enclave serves, and this one ends"
! grep "clients will refuse" "$work/new.log" || fail "the new one's certificate does not allow for who had the instance before"
equal "$(grep -c "compiled again" "$work/new.log")" 0 "compiled, though the engine is the same"
counted=$((counted + 1))
equal "$(new_count)" $counted "what was stored"
equal "$(leaf "$new_url" instance)" "$instance" "the instance"
equal "$(leaf "$new_url" ca-certificate)" "$ca" "the CA"
equal "$(leaf "$new_url" log-key)" "$log_key" "the log's key"
equal "$(leaf "$new_url" lineage)" "$(measured "$work/base.signed")" "who had it before"
[ ! -e "$work/new-data/recipient" ] || fail "the recipient is still shown"
# The history goes on, and has the hand-over with both sides' names.
"$BUILD/bin/enclavectl" log "$new_url" --json --allow-simulation --mrenclave "$mrenclave" --instance "$instance" \
    --mrenclave "$(measured "$work/base.signed")" >"$work/history"
python3 - "$before" "$mrenclave" "$(openssl pkey -pubin -in "$admin.pub" -outform DER | sha256sum | cut -d' ' -f1)" "$work/history" <<'END'
import json, sys
entries = [e["entry"] for e in json.load(open(sys.argv[4]))["entries"]]
kinds = [e["kind"] for e in entries]
at = kinds.index("hand-over")
assert at == int(sys.argv[1]), (at, sys.argv[1])
assert entries[at]["measurement"] == sys.argv[2], entries[at]
assert entries[at]["by"] == [sys.argv[3]], entries[at]
assert kinds[at + 1:].count("boot") == 1 and kinds.count("hand-over") == 1, kinds
END

# Clients are told why the measurement is another one, by that entry, proven; and accept it only if their policy does.
policed verify "$new_url" --mrenclave "$mrenclave" --mrenclave "$base" >"$work/verdict" || fail "$(cat "$work/verdict")"
contains "$(grep '  hand-over ' "$work/verdict")" "ok    hand-over                    hand-over: entry $before, of "
contains "$(grep '  hand-over ' "$work/verdict")" ": to $mrenclave, by "
policed verify "$new_url" --mrenclave "$mrenclave" --mrenclave "$base" --json | python3 -c 'import json, sys
shown, index, measurement = json.load(sys.stdin)["log"]["hand_over"], int(sys.argv[1]), sys.argv[2]
assert shown["index"] == index and shown["entry"]["kind"] == "hand-over" and shown["entry"]["measurement"] == measurement, shown' \
    "$before" "$mrenclave"
mkdir "$work/python" # the same by the binding
cp -r "$SOURCE/bindings/python/enclave_verifier" "$work/python"
cp "$BUILD/lib/libenclave-verifier.so.0" "$work/python/enclave_verifier/libenclave-verifier.so"
PYTHONPATH=$work/python python3 -m enclave_verifier verify "$new_url" --allow-simulation --instance "$instance" \
    --mrenclave "$mrenclave" --mrenclave "$base" >"$work/told" || fail "$(cat "$work/told")"
equal "$(grep '  hand-over ' "$work/told")" "$(grep '  hand-over ' "$work/verdict")"
! policed verify "$new_url" --mrenclave "$base" >"$work/verdict" || fail "verified without the new measurement"
contains "$(cat "$work/verdict")" "FAIL  mrenclave"
! policed verify "$new_url" --mrenclave "$mrenclave" >"$work/verdict" || fail "verified without the old measurement"
contains "$(cat "$work/verdict")" "FAIL  lineage"

# ---- the old one is over: its key is gone, and the second recipient gets nothing ----
refuses_to_start() { ! start >/dev/null 2>&1 || fail "the old one serves again"; server=; contains "$(cat "$work/server.log")" "no sealed master key: not starting anew over them (it was handed over, and can be deleted; or"; }
refuses_to_start
kill -TERM $second_server
wait $second_server || true
! grep -q '^ready' "$work/second.log" || fail "the second one serves"

# ---- the new one is a server like any other: it goes on by itself, with or without the option, and may hand over again ----
kill -TERM $new_server
wait $new_server || fail "the new one ended with $?"
new_server=
new_begin
await "the new one again" new_ready
counted=$((counted + 1))
equal "$(new_count)" $counted "after a restart"
kill -TERM $new_server
wait $new_server || fail "the new one ended with $?"
new_server=

# ---- to another machine: the same image on another CPU, which could open nothing of the folder itself ----
mv "$work/new-data" "$work/moved"
IMAGE=$work/next.signed
check start --data "$work/moved"
cp -r "$work/moved" "$work/new-data"
NEW_SIM=$work/other-machine new_begin
! new_ends || fail "another CPU opens a folder that was copied"
contains "$(cat "$work/new.log")" "on another CPU"
rm -rf "$work/new-data"
NEW_SIM=$work/other-machine new_begin
await "the recipient" shown
await "the old one's knowledge of it" known
equal "$(approve "$(recipient)" | tail -n 1)" 200
await "the new one" new_ready
old_ends || fail "the old one ended with $?"
counted=$((counted + 1))
equal "$(new_count)" $counted "what was stored, on another machine"
equal "$(grep -c "compiled again" "$work/new.log")" 0 "compiled for another CPU"
equal "$(leaf "$new_url" instance)" "$instance" "the instance, on another machine"
equal "$(leaf "$new_url" lineage | cut -c1-64)" "$(measured "$work/base.signed")" "who had it before"
kill -TERM $new_server
wait $new_server || fail "the new one ended with $?"
new_server=

# ---- to another engine, whose code is made again; and by two administrators, of whom none can give the instance away alone ----
mv "$work/new-data" "$work/other"
check start --data "$work/other" --sim-dir "$work/other-machine"
rm "$policy" # of the image before
first_use
rule "{\"rule\":\"measurements\",\"measurements\":[\"$(measured "$work/engine.signed")\"]}"
ctl admin add "$work/other.key.pub" --role admin "${to[@]}" >/dev/null
ctl admin threshold 2 "${to[@]}" >/dev/null
NEW_IMAGE=$work/engine.signed NEW_SIM=$work/other-machine new_begin
await "the recipient" shown
await "the old one's knowledge of it" known
answer=$(approve "$(recipient)")
contains "$answer" "takes the tokens of 2 admins together"
equal "${answer##*$'\n'}" 403
by=(--mrenclave "$(measured "$work/engine.signed")" --mrenclave "$base")
upgrade() { ctl upgrade --data "$work/new-data" --new-url "$new_url" "${to[@]}" "${by[@]}" "$@" >"$work/said" 2>"$work/errors"; }
! upgrade || fail "one administrator alone has approved"
contains "$(cat "$work/errors")" "takes the tokens of 2 admins together"
upgrade --propose "$work/proposal" || fail "$(cat "$work/errors")"
to_be=$(ctl admin approve "$work/proposal" --admin-key "$work/other.key" --out "$work/approval" --url "$url" --policy "$policy" "${by[@]}")
contains "$to_be" "to let another enclave have the instance, and serve no more"
contains "$to_be" "recipient: $(recipient)"
contains "$to_be" "mrenclave: $(measured "$work/engine.signed")"
! ctl admin approve "$work/proposal" --admin-key "$work/other.key" --out "$work/none" --url "$url" --policy "$policy" 2>"$work/errors" >/dev/null ||
    fail "approved against the policy of whoever approves"
contains "$(cat "$work/errors")" "recipient $(recipient): mrenclave: "
new_waits || fail "$(cat "$work/new.log")"
upgrade --approval "$work/approval" || fail "$(cat "$work/errors")"
contains "$(cat "$work/said")" "the new enclave serves, and is verified"
old_ends || fail "the old one ended with $?"
equal "$(compiled)" 1 "compiled for another engine"
counted=$((counted + 1))
equal "$(new_count)" $counted "what was stored, by another engine"
kill -TERM $new_server
wait $new_server || fail "the new one ended with $?"
new_server=
