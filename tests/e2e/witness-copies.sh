#!/usr/bin/env bash
# Copies of one store beside each other, killed and started again, while the host does what it likes with the witness's
# answers (witness_copies.py): of an app that is durable, nobody is ever told less than somebody was told before.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

witness_start w1
witness_proxy w1
more=(--witness-seconds 8 --witness-commits 3)
first_boot w1
push counter counter-c
echo '{"durable":"witnessed"}' >"$work/settings.json"
check ctl app settings counter "$work/settings.json" "${to[@]}" >/dev/null
stop
through=${witness_at[w1]##*:}
kill "$witness_proxy_pid"
wait "$witness_proxy_pid" 2>/dev/null || true
ports=()
for _ in $(seq 9); do ports+=("$(free_port)"); done
check python3 "$SOURCE/tests/e2e/witness_copies.py" "$work" "$through" "${witness_port[w1]}" "${ports[@]}" -- \
    "$HOST" serve --image "${IMAGE:-$BUILD/enclave_os.signed}" --sim-dir "$work/sim"
