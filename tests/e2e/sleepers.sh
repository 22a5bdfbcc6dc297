#!/usr/bin/env bash
# A thousand requests that wait on one worker: all of them wait at the same time, though there are fewer places for stacks,
# and others are served meanwhile.
. "$(dirname "$0")/lib.sh"
sleepers=(python3 "$(dirname "$0")/sleepers.py" "$port" 1000)
ulimit -n "$(ulimit -Hn)"
check start --workers 1
push waits waits
push hello hello-c
field() { ctl get /metrics "${to[@]}" | python3 -c "import json, sys; print(json.load(sys.stdin)['apps']['waits']['$1'])"; }
waiting() { [ "$(field requests_running)" = "$1" ]; }

"${sleepers[@]}" /waits/sleep >/dev/null 2>&1 &
asleep=$!
await "a thousand requests that wait at the same time" waiting 1000
places=$(sed -n 's:.*<GuestStackNum>\([0-9]*\)<.*:\1:p' "$(dirname "$0")/../../config/enclave.config.xml")
check metric_reaches guest_stacks_put_away_total $((1000 - places))
equal "$(status /hello/)" 200 "beside them"
kill $asleep
await "the end of those whose clients are gone" waiting 0

before=$SECONDS
equal "$("${sleepers[@]}" /waits/nap)" 1000 "requests that slept for a second, and found everything as it was"
echo "1,000 that slept for a second, with their handshakes: $((SECONDS - before)) s"
await "the end of the last" waiting 0
check metric_is guest_memory_bytes 0
check stop
