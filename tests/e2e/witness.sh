#!/usr/bin/env bash
# Witnesses, with litewitness: nobody is served before a quorum has cosigned; a store that was put back, and a copy that
# runs beside the original, are refused; and so is whatever a host does with the witnesses' answers.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

# ---- a first boot: nobody is served before all of them know the log ------------------------------------------------
witness_start w1
witness_start w2
options=()
options_for w1 w2
launch "${options[@]}"
await "the log's name" logged "its key is"
await "a refusal of w1" logged "witness w1 does not know this log or its key (403). 0 of 2"
await "a refusal of w2" logged "witness w2 does not know"
[ -z "$(log_origin)" ] && fail "no origin"
origin=$(log_origin)
witness_know w1 "$origin" "$(log_key)"
await "one of two" logged "1 of 2 that are needed have cosigned 1 entries"
! ready || fail "one of two was enough"
! status /healthz >/dev/null || fail "it answers"
witness_know w2 "$origin" "$(log_key)"
await "both" ready
equal "$(status /healthz)" 200
ctl get /_enclave/manifest "${to[@]}" >"$work/manifest" || get /_enclave/manifest >"$work/manifest"
contains "$(cat "$work/manifest")" '"label":"witness:w1"'
contains "$(cat "$work/manifest")" "$(printf 'quorum=2;seconds=60;commits=1000' | od -An -tx1 | tr -d ' \n')"
push counter counter-c || fail "a push"
equal "$(count)" 1
# what everybody may see: a checkpoint with the cosignatures of both
contains "$(get /_enclave/log/checkpoint)" "— w1.example "
contains "$(get /_enclave/log/checkpoint)" "— w2.example "
contains "$(ctl get /metrics "${to[@]}")" '"witness":{"quorum":2,"seconds":60,"commits":1000,'
contains "$(ctl get /status "${to[@]}")" '"w1":{"cosigned":2,'
# a client may ask for them: both, lately; and is not content with others
asks() { # QUORUM VKEY...: verify by a policy that names these witnesses
    python3 -c 'import json, sys
policy = json.load(open(sys.argv[1]))
policy["log"] = {"witnesses": sys.argv[3:], "quorum": int(sys.argv[2]), "max_age": 3600}
print(json.dumps(policy))' "$policy" "$@" >"$work/witnessed.json"
    ctl verify "$url" --policy "$work/witnessed.json" --log-state "$work/log.state" >"$work/said" 2>&1
}
stranger='witness.example/w1+a7e12144+BGG3op9v3HIXXDPBmFc/0CioJHhGCXc+pyvvFPlBZdYO'
asks 2 "${witness_vkey[w1]}" "${witness_vkey[w2]}" || fail "a client that knows both: $(cat "$work/said")"
asks 1 "$stranger" "${witness_vkey[w2]}" || fail "a client that one is enough for: $(cat "$work/said")"
! asks 2 "$stranger" "${witness_vkey[w2]}" || fail "a stranger's cosignature counts"
contains "$(cat "$work/said")" "1 of 2, 2 are needed within 3600 s (witness.example/w1: no cosignature, w2.example: "
contains "$(tail -n +4 "$work/log.state")" "— w1.example "
check stop

# ---- the next boots need no options; others are refused with a word ------------------------------------------------
launch
await "a boot without options" ready
equal "$(count)" 2
check stop
launch "${options[@]}"
await "a boot with the same options" ready
check stop
options=()
options_for w1
launch "${options[@]}"
ends_with 1 "those given now are not those of this store"

# ---- a store that was put back in whole ------------------------------------------------------------------------------
launch
await "a boot" ready
equal "$(count)" 3
check stop
cp -r "$work/data" "$work/before"
launch
await "a boot" ready
equal "$(count)" 4
check stop
mv "$work/data" "$work/newest"
cp -r "$work/before" "$work/data"
launch
ends_with 1 "no quorum of witnesses is left that could cosign this log; w1 has seen"
! logged '^ready' || fail "a store that was put back was served"
# again and again, though each start makes its log longer
for _ in 1 2; do
    launch
    ends_with 1 "the store was put back, or another copy of it runs"
done
rm -rf "$work/data"
mv "$work/newest" "$work/data"
launch
await "the newest store" ready
equal "$(count)" 5

# ---- a copy that is started beside the original: it is served, and the original is not any more ----------------------
crash
rm -rf "$work/data"
witness_forget w1
witness_forget w2
witness_start w1
first_boot w1
push counter counter-c
equal "$(count)" 1
cp -r "$work/data" "$work/copy" # while it runs: as a host can
first=$server first_port=$port
kill -STOP "$first" # so that the copy is the faster one
port=$(free_port)
"$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$port" --data "$work/copy" --sim-dir "$work/sim" \
    >"$work/copy.log" 2>&1 &
copy=$!
copy_has_begun() { grep -q '^ready' "$work/copy.log"; }
await "the copy" copy_has_begun
kill -CONT "$first"
server=$first port=$first_port
await "the original's end of service" logged "serving has stopped: no quorum of witnesses is left.*w1 has seen"
equal "$(status /counter/)" 503 "the original"
equal "$(status /healthz)" 200
contains "$(ctl get /readyz "${to[@]}" 2>&1 || true)" "has seen"
contains "$(get /_enclave/log/checkpoint)" "$origin"
equal "$(status /_enclave/manifest)" 200
! push hello hello-c 2>/dev/null || fail "a push to an enclave that is not to serve"
kill -KILL "$copy"
wait "$copy" 2>/dev/null || true
check stop
rm -rf "$work/data" "$work/copy"
witness_forget w1
