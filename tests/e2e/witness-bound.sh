#!/usr/bin/env bash
# The bound in commits, while many write and the witness is kept away: as many transactions as the set says are made
# beyond the last head that was cosigned, and not one more; what waits goes on when the witness is back; and a host that
# puts the store back as it was at that head takes back no more than these. Counted: no second is one of this test's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"
HOST=$BUILD/bin/lying_store
commits=20

witness_start w1
witness_proxy w1
export TELL_COMMITS=$work/witness-w1/asked # one order of commits, questions and cosignatures
more=(--witness-seconds 86400 --witness-commits $commits)
first_boot w1
for name in a b; do push $name counter-c; done

# write APP: one more; the number that it came to
write() { ask --fail "$url/$1/" | grep -o '[0-9]*$' | tail -n 1; }
# writers_begin COUNT TURNS: so many at once, each so many times; the numbers that they are told, in files
writers_begin() {
    local i
    writing=()
    rm -f "$work"/told-*
    for i in $(seq "$1"); do
        local app=a
        [ $((i % 2)) = 0 ] || app=b
        ask --fail --fail-early --no-buffer -w '\n' "$url/$app/?[1-$2]" >"$work/told-$app-$i" 2>/dev/null &
        writing+=($!)
    done
}
told() { cat "$work"/told-* | grep -c '[0-9]$'; }
made() { grep -c '^commit' "$TELL_COMMITS"; }
settled() { [ "$(metric proven)" = "$(metric head)" ]; }

# ---- while the witness answers: whatever the order of commits and cosignatures was, none is too far beyond -----------
writers_begin 8 20
wait "${writing[@]}"
equal "$(told)" 160 "answers while the witness is there"
await "the last checkpoint" settled
size=$(get /_enclave/log/checkpoint | sed -n 2p)
get "/_enclave/log/tile/entries/000.p/$size" >"$work/entries"
python3 - "$work/entries" "$TELL_COMMITS" $commits <<'PYTHON' || fail "the bound, while the witness answers"
import json, sys
bundle, made, states, most, bound = open(sys.argv[1], "rb").read(), 0, 0, 0, None
epochs = {} # by the size of a log: the transaction that its last entry came after
while bundle:
    size = int.from_bytes(bundle[:2], "big")
    entry, bundle = json.loads(bundle[2:2 + size]), bundle[2 + size:]
    epochs[entry["index"] + 1] = entry["epoch"]
for line in open(sys.argv[2]):
    word, *rest = line.split()
    if word == "cosigned":
        states += 1
        proven = epochs[int(rest[0])] + 1 # its own is the next, or a later one
        assert proven <= made, f"{proven} is proven, and {made} are made"
        bound = proven + int(sys.argv[3])
    elif word == "commit":
        made += 1
        most = max(most, made - bound + int(sys.argv[3])) if bound else most
        assert bound is None or made <= bound, f"transaction {made}, where {bound} is the last that is allowed"
assert states > 8, f"{states} cosignatures"
print(f"{made} transactions, {states} cosignatures, {most} beyond one at most")
PYTHON

# ---- while it does not ------------------------------------------------------------------------------------------------
get /a/put/text >/dev/null
before=$(write a)
await "the last checkpoint" settled
proven=$(metric proven_epoch)
cp -r "$work/data" "$work/before" # as a host can, at the last head that is ever cosigned in this run
[ "$(made)" -ge "$proven" ] || fail "$proven are proven, and $(made) were made"
echo withhold >"$work/witness-w1/mode"
writers_begin 8 1000
all_made() { [ "$(made)" = $((proven + commits)) ]; }
await "the last transaction that is allowed" all_made
# All writers wait now. What others read is served, by the same workers and the same store.
for _ in $(seq 100); do equal "$(get /a/get)" text "reading meanwhile"; done
equal "$(made)" $((proven + commits)) "transactions beyond the last head that was cosigned"
contains "$(ctl get /metrics "${to[@]}")" '"stopped":0'
had=$(told)
[ "$had" -ge 1 ] || fail "nothing was acknowledged beyond the last head"
for job in "${writing[@]}"; do kill -0 "$job" || fail "a writer was refused: it is to wait"; done
[ "$(made)" = $((proven + commits)) ] || fail "$(made) transactions, where $((proven + commits)) are allowed"

# ---- the host puts the store back as it was at that head: what is lost are these transactions -------------------------
crash
wait "${writing[@]}" || true
equal "$(made)" $((proven + commits)) "transactions in all of this run"
cp -r "$work/data" "$work/newest"
rm -rf "$work/data"
cp -r "$work/before" "$work/data"
witness_passes w1
echo "the witness was kept away from $commits transactions, in which $had writes were acknowledged"
launch
await "the store that was put back" ready
equal "$(write a)" $((before + 1)) "what was cosigned is there"
# and from now on the other one is not served
check stop
rm -rf "$work/data"
mv "$work/newest" "$work/data"
launch
ends_with 1 "no quorum of witnesses is left that could cosign this log"

# ---- when it is back, what waited goes on -------------------------------------------------------------------------------
rm -rf "$work/data"
witness_forget w1
witness_start w1
witness_proxy w1
first_boot w1
for name in a b; do push $name counter-c; done
echo withhold >"$work/witness-w1/mode"
proven=$(metric proven_epoch)
writers_begin 8 30
await "the last transaction that is allowed" all_made
had=$(told)
[ "$had" -lt 240 ] || fail "nobody waits"
witness_passes w1
wait "${writing[@]}" || fail "a writer was refused"
equal "$(told)" 240 "answers, some of them after the witness was back"
sum=$(($(write a) + $(write b)))
equal "$sum" 242 "what is stored"
for name in a b; do equal "$(cat "$work"/told-$name-* | grep '[0-9]$' | sort | uniq -d)" "" "numbers that were told twice"; done
! logged "serving has stopped" || fail "it was stopped"
check stop
echo "$had writes were acknowledged while it was away, all 240 when it was back"
