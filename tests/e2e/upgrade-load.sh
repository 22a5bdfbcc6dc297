#!/usr/bin/env bash
# An upgrade on one machine under an open load, by the command that does the whole: no request fails, and no connection is
# refused; those that come while the instance goes over wait. Both have several workers. RATE (200) makes it another load.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
make_image "$work/next.signed" 2 577
next=$(ctl measure "$work/next.signed" | grep -oE '[0-9a-f]{64}' | head -n 1)
check start --workers 2
push v hello-c
echo "{\"rule\":\"measurements\",\"measurements\":[\"$next\"]}" >"$work/rule.json"
check ctl upgrade-rule set "$work/rule.json" "${to[@]}" >/dev/null

# The new one has the port's sockets from the old one, and shows itself. While it waits it may end: the old one serves on.
new_port=$port new_url=$url
new_begin --listen-from "$work/data" --workers 2
await "the new one" shown
await "the old one's word" logged "another process has the listening sockets"
kill -KILL "$new_server"
new_ends && fail "killed, and ended well"
await "the old one's word" logged "the other process is gone"
contains "$(get /v/)" "Hello"
rm "$work/new-data/recipient"
new_begin --listen-from "$work/data" --workers 2
await "the new one" shown
HELD=0 check python3 "$(dirname "$0")/load.py" "$port" "${RATE:-200}" 1 \
    "v=$BUILD/apps/hello-c.wasm:Hello" "v=$BUILD/apps/hello-c.wasm:Hello" \
    "$BUILD/bin/enclavectl" upgrade --data "$work/new-data" "${to[@]}" --mrenclave "$next"
check old_ends
new_ready || fail "the new one is not ready"

# Whose it is, and what it was.
check ctl verify "$url" --policy "$policy" --mrenclave "$next" >/dev/null
ctl verify "$url" --policy "$policy" >"$work/said" && fail "verified by the old measurement alone"
contains "$(cat "$work/said")" "mrenclave"
issuer=$(grep '"issuer"' "$policy")
echo "{\"format\":\"enclave-os-policy/1\",\"mrenclave\":[\"$next\"],\"allow_simulation\":true,${issuer%,}}" >"$work/next.json"
ctl verify "$url" --policy "$work/next.json" >"$work/said" && fail "verified without a word on who had it before"
contains "$(cat "$work/said")" "has had the instance before"
contains "$(ctl log "$url" --policy "$policy" --mrenclave "$next")" "hand-over"

# It is a server as any other: it ends, and begins again as it was begun, though nobody gives it sockets any more.
kill -TERM "$new_server"
check new_ends
new_begin --listen-from "$work/data" --workers 2
await "the new one, again" new_ready
contains "$(get /v/)" "Hello"
kill -TERM "$new_server"
check new_ends
