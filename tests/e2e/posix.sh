#!/usr/bin/env bash
# What WASI preview 1 says of files, links, flags, times, folders, descriptors, clocks and streams, case by case: in C
# (apps/guests/posix*.c), as Rust's standard library asks for it (apps/posix-rust), and in AssemblyScript
# (apps/heap-as/posix.ts). Each is asked again after a restart, by which it must have left nothing.
. "$(dirname "$0")/lib.sh"
set_to() { # APP ARGUMENT...: what it is started with
    python3 -c 'import json, sys
json.dump({"arguments": sys.argv[1:], "environment": {"GREETING": "hello", "EMPTY": ""}}, sys.stdout)' "${@:2}" >"$work/settings"
    check ctl app settings "$1" "$work/settings" "${to[@]}" >/dev/null
}
declare -A least=([posix]=330 [posix-descriptors]=260 [posix-rust]=103 [posix-as]=48)
wrong=0
check start
for app in "${!least[@]}"; do
    push "$app" "$app"
    set_to "$app" one 'two words' '' é
done
for turn in 1 2; do
    for app in "${!least[@]}"; do
        said=$(get "/$app/" -d 'the body')
        tried=$(sed -n 's/^\([0-9]*\) of \1 cases$/\1/p' <<<"$said")
        echo "turn $turn, $app: $(tail -n 1 <<<"$said")"
        [ "${tried:-0}" -ge "${least[$app]}" ] || { wrong=$((wrong + 1)); echo "$said"; }
    done
    check stop
    check start
done
# how it ends: preview 1 programs have but success and failure here (docs/apps.md)
set_to posix-as one 'two words' '' é exit 0
equal "$(status /posix-as/ -d 'the body')" 200 "proc_exit(0)"
set_to posix-as one 'two words' '' é exit 33
equal "$(status /posix-as/ -d 'the body')" 500 "proc_exit(33)"
contains "$(cat "$work/server.log")" "app posix-as: posix-as was here"
[ "$wrong" = 0 ] || fail "$wrong times other than expected: see above"
check stop
