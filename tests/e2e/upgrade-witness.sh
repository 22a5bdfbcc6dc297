#!/usr/bin/env bash
# A hand-over of an instance that has witnesses: the new enclave's start goes through their gate like any other, with one of
# them away and with the enclave killed there; they never see two heads; and whoever else has what the instance was (the old
# enclave over its folder of before, or a copy of the new one's that goes on beside it) is cosigned by nobody.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
make_image "$work/next.signed" 2 575
new_count() { new_get /counter/ | grep -o '[0-9]*$' | tail -n 1; }
given() { logged "this instance has been given"; }
asked_of() { wc -l <"$work/witness-$1/asked"; } # how often the proxy of this witness was asked anything

for name in w1 w2; do
    witness_start $name
    witness_proxy $name
done
more=(--upgrade-rule signer --witness-seconds 86400) # nothing comes by the clock
first_boot w1 w2
push counter counter-c
equal "$(count)" 1
new_begin
await "the new one" shown
await "its question" new_logged "no administrator has approved this recipient" # its session is kept by then
# What its host may keep for later: of a new one that nobody has approved yet, and of the old one that serves.
kill -STOP "$new_server"
cp -r "$work/new-data" "$work/copy-data"
kill -CONT "$new_server"
cp -r "$work/data" "$work/before"
size=$(get /_enclave/log/checkpoint | sed -n 2p) # of the log, before the entry of the hand-over

# ---- a witness is away: the instance is given, and nobody serves ----
witness_stop w2
equal "$(approve "$(recipient)" | tail -n 1)" 200
unserved() {
    await "what the new one says of w2" new_logged "witness w2 does not answer"
    ! new_ready || fail "served without w2"
    ! new_get /counter/ >/dev/null || fail "the new one answers"
}
unserved
check given
beyond() { awk -v size=$((size + 1)) '/^cosigned/ && $2 > size { found = 1 } END { exit !found }' "$work/witness-w1/asked"; }
await "the cosignature of the new one's start" beyond
! grep "^cosigned $((size + 1))$" "$work/witness-w1/asked" || fail "the old one goes on asking"
equal "$(status /counter/)" 503 "the old one's answer"
kill -KILL "$new_server" # its folder is a store already
wait "$new_server" 2>/dev/null || true
new_begin
unserved

# ---- the old one, started again: nothing of it is cosigned, and it serves nobody ----
crash
asked=$(asked_of w1)
launch
await "the old one again" ready
check given
equal "$(status /counter/)" 503 "the old one's answer, after a restart"
contains "$(get /counter/)" "handed over to another enclave"
equal "$(asked_of w1)" "$asked" "how often w1 was asked"

# ---- the same recipient twice: the copy is told what the original was, and one of the two is cosigned ----
"$HOST" serve --image "$work/next.signed" --listen 127.0.0.1:0 --data "$work/copy-data" --sim-dir "$work/sim" --take-over "$url" \
    >"$work/copy.log" 2>&1 &
copy=$!
await "the copy's end" gone $copy
! wait $copy || fail "the copy ended well"
contains "$(cat "$work/copy.log")" "this enclave has the instance"
contains "$(cat "$work/copy.log")" "no quorum of witnesses is left that could cosign this log"
! grep -q '^ready' "$work/copy.log" || fail "the copy served"

# ---- the witness comes back ----
crash
launch # which has heard the copy, whose counters are above the new one's
await "the old one once more" ready
witness_start w2
await "the new one" new_ready
await "the old one's end" gone "$server"
old_ends || fail "the old one ended with $?"
equal "$(new_count)" 2 "what was stored"
checkpoint=$(new_get /_enclave/log/checkpoint)
for name in w1 w2; do
    contains "$checkpoint" "— $name.example "
    equal "$(witness_size $name "$origin")" "$(sed -n 2p <<<"$checkpoint")" "what $name has seen"
done
! grep "has seen" "$work/new.log" || fail "a witness refuses the new one"

# ---- the old one, as it was before it gave the instance away ----
rm -rf "$work/data"
mv "$work/before" "$work/data"
launch
ends_with 1 "no quorum of witnesses is left that could cosign this log"
check logged "has seen [0-9]* entries of this log, which has"
! logged '^ready' || fail "the old one serves again"
new_push() { ctl app push hello "$BUILD/apps/hello-c.wasm" --url "$new_url" --admin-key "$admin" --policy "$policy" --mrenclave "$(ctl measure "$work/next.signed" | grep -oE '[0-9a-f]{64}' | head -n 1)"; }
new_push >/dev/null || fail "a change of the new one's"
equal "$(new_count)" 3
kill -TERM "$new_server"
new_ends || fail "the new one ended with $?"
