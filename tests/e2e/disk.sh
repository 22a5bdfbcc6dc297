#!/usr/bin/env bash
# What one app may keep on disk, serve --app-disk: beyond it writes are refused with an error that says so, and nothing else
# is: what is there can be read, changed and removed, other apps go on, and so does the server over restarts with other bounds.
. "$(dirname "$0")/lib.sh"
put() { status "$1" -X PUT --data-binary "@$2"; }
head -c 1000000 /dev/urandom >"$work/mega"
printf 'a few bytes' >"$work/few"

# fill APP: files until one is refused; how many went in
fill() {
    local i code
    for i in $(seq 20); do
        code=$(put "/$1/f$i" "$work/mega")
        [ "$code" = 200 ] || break
    done
    equal "$code" 507 "a write beyond what $1 may keep"
    echo $((i - 1))
}
whole() { get "/one/f$1" | cmp -s - "$work/mega" || fail "file $1 is not whole"; }

check start --app-disk 4
push one files-c
push two files-c
push counter counter-c
equal "$(fill one)" 4 "files of a million bytes in 4 MiB"
contains "$(get /one/more -X PUT --data-binary "@$work/mega")" "No space left"
equal "$(status /one/f5)" 404 "a file that was refused leaves nothing behind"
for i in 1 2 3 4; do whole $i; done
equal "$(put /two/few "$work/few")" 200 "another app's file"
equal "$(get /counter/)" 1 "another app's key"
equal "$(get /counter/)" 2 "another app's key"
# once something is removed there is room: for a file that is written over, which is whole beside the old one, and for a new one
equal "$(get /one/f1 -X DELETE)" "done"
equal "$(put /one/f2 "$work/mega")" 200 "over a file of the same size"
equal "$(put /one/again "$work/mega")" 200 "where there is room again"
crash

# with a smaller bound than what is there: nothing is lost, nothing more goes in, and what goes makes no room at once
check start --app-disk 2
for i in 2 3 4; do whole $i; done
equal "$(put /one/more "$work/few")" 507 "a write while more is there than may be"
equal "$(get /one/f2 -X DELETE)" "done"
equal "$(put /one/more "$work/few")" 507 "a write while more is there than may be"
for file in f3 f4; do equal "$(get /one/$file -X DELETE)" "done"; done
equal "$(put /one/more "$work/few")" 200 "a write below the bound again"
equal "$(get /one/again | cmp - "$work/mega" && echo same)" same
equal "$(get /two/few)" "a few bytes"
check stop

# without the option there is room for all of it
check start
equal "$(get /one/more)" "a few bytes"
for i in $(seq 8); do equal "$(put "/one/f$i" "$work/mega")" 200 "by the default"; done
equal "$(get /counter/)" 3
check stop
