#!/usr/bin/env bash
# Large components are served with quick code until they are optimised: when that changes no request is lost and nothing that is attested
# changes; what ends the server at any moment, a change of settings, another push or a removal in between does no harm.
. "$(dirname "$0")/lib.sh"
large=notes-go
[ -e "$BUILD/apps/$large.wasm" ] || { echo "apps/build.sh has not built $large"; exit 77; }

code() { # APP: what /status says it runs
    ctl get /status "${to[@]}" | APP=$1 python3 -c '
import json, os, sys
print(*(item["details"]["code"] for item in json.load(sys.stdin) if item["name"] == os.environ["APP"]))'
}
runs() { [ "$(code "$1")" = "$2" ]; } # APP CODE
# What clients verify.
attested() { get /_enclave/manifest; }
answers() { equal "$(status /notes/notes)" 200 "$1"; }

check start --workers 2
push notes $large
check runs notes quick
answers "with quick code"
push hello hello-c
check runs hello optimised # which takes no time worth speaking of

# Requests that come all the while, on several connections.
before=$(attested)
asks() { # FILE: the statuses of all that were asked until there is a file "enough"
    until [ -e "$work/enough" ]; do status /notes/notes || echo lost; echo; done >"$1"
}
for i in 1 2 3; do asks "$work/asked$i" & askers[i]=$!; done
await "optimised code" runs notes optimised
sleep 0.2 # some more, with that
touch "$work/enough"
wait "${askers[@]}"
equal "$(sort -u "$work"/asked?)" 200 "answers while the code changed"
equal "$(attested)" "$before" "what is attested"
echo "$(cat "$work"/asked? | wc -l) answers while the code changed"
await "the end of it" metric_is apps_optimising 0
equal "$(metric apps_quick)" 0 "apps with quick code"

# Kept: no start makes it again.
crash
check start
check runs notes optimised
answers "from the artefact"
equal "$(grep -c 'optimised code' "$work/server.log")" 0 "optimised again"

# What ends the server before it is done leaves an app that the next start serves with quick code, and that is optimised then.
push other $large
check runs other quick
crash
check start
check runs other quick
equal "$(status /other/notes)" 200 "after a kill in between"
await "optimised code of it" runs other optimised
equal "$(status /other/notes)" 200 "with optimised code"

# New settings, other code, and a removal come in between.
push third $large
check runs third quick
echo '{"config":{"a":"b"}}' >"$work/settings.json"
check ctl app settings third "$work/settings.json" "${to[@]}" >/dev/null
await "optimised code with new settings" runs third optimised
contains "$(ctl app settings third "${to[@]}")" '"a":"b"'
push fourth $large
push fourth hello-c
check runs fourth optimised
equal "$(get /fourth/)" "Hello from C inside the enclave"
push fifth $large
check ctl app rm fifth "${to[@]}" >/dev/null
await "the end of what nobody wants" metric_is apps_optimising 0
equal "$(status /fifth/)" 404 "what was removed"
equal "$(get /fourth/)" "Hello from C inside the enclave" "other code"
check stop

# And a server that is told to stop does not wait for it.
check start
push sixth $large
check stop
check start
for app in notes other third sixth; do equal "$(status /$app/notes)" 200 "$app after all that"; done
check stop
