#!/usr/bin/env bash
# What /status says of how an app's memory is made, and what /metrics count: a component with little memory has it made
# each time, one with more marks what it writes, and its next requests get what was used (docs/reset.md).
. "$(dirname "$0")/lib.sh"
check start
reset_of() { ctl get /status "${to[@]}" | python3 -c 'import json, sys
print(next(app["details"]["reset"] for app in json.load(sys.stdin) if app["name"] == sys.argv[1]))' "$1"; }
reused() { ctl get /metrics "${to[@]}" | python3 -c 'import json, sys
print(json.load(sys.stdin)["apps"][sys.argv[1]]["requests_in_used_memory_total"])' "$1"; }
check push small hello-c
check push large notes-rust
equal "$(reset_of small)" whole "64 KiB"
equal "$(reset_of large)" marks "1 MiB and more"
for _ in {1..20}; do
    equal "$(status /small/)" 200
    equal "$(status /large/)" 404 "of a path that it does not have"
done
equal "$(reused small)" 0
# Each worker keeps its own: all but the first on each.
[ "$(reused large)" -ge 10 ] || fail "only $(reused large) of 20 requests had memory that was used"
check stop
# The same of what is read back.
check start
equal "$(reset_of small)" whole "64 KiB, read back"
equal "$(reset_of large)" marks "1 MiB and more, read back"
equal "$(status /large/)" 404
check stop
