#!/usr/bin/env bash
# What the host says of a commit is not always so. Killed at any request of the first boot, the next boot has everything that
# a first boot fixes; at any request of a push, the app is there or it is not, and there if that was said. A commit that was made and said to have failed is acknowledged; one that was not made is refused, and
# changes nothing; and where nobody can say, the store writes nothing any more, says so, and the next boot works.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_store
export REFUSE=$work/refuse KEEP_AND_REFUSE=$work/keep-and-refuse HIDE_ROOT=$work/hide-root
count() { get /counter/ | grep -o '[0-9]*$' | tail -n 1; }

# the first boot, killed at each of the enclave's requests and each of its answers
moment=1
until KILL_AT=$moment start; do
    wait "$server" 2>/dev/null || true
    server=
    contains "$(cat "$work/server.log")" "killed at moment $moment"
    check start
    push hello hello-c || fail "killed at moment $moment: nobody administers this store"
    crash
    rm -rf "$work/data"
    moment=$((moment + 1))
    [ $moment -lt 500 ] || fail "the first boot has no end"
done
crash
rm -rf "$work/data"
[ $moment -gt 8 ] || fail "it was killed $((moment - 1)) times only"
echo "a first boot was killed at $((moment - 1)) moments"

# a push of many records, killed in the same way
export COUNT_WHILE=$work/count
check start
push counter counter-c
equal "$(count)" 1
check stop
cp -r "$work/data" "$work/before"
moment=1 pushed= there=0
until [ "$pushed" ]; do
    KILL_AT=$moment check start
    touch "$COUNT_WHILE"
    push files files-c 2>/dev/null && pushed=yes
    rm "$COUNT_WHILE"
    if [ ! "$pushed" ]; then
        await "the kill" logged "killed at moment $moment"
        wait "$server" 2>/dev/null || true
    else
        crash
    fi
    server=
    check start
    case $(get /files/) in
    *"no app is deployed"*) [ ! "$pushed" ] || fail "a push was acknowledged, and the app is not there" ;;
    *)
        there=$((there + 1))
        equal "$(status /files/a -X PUT --data-binary text)" 200 "killed at moment $moment: the app"
        ;;
    esac
    equal "$(count)" 2 "killed at moment $moment of a push: another app"
    crash
    rm -rf "$work/data"
    cp -r "$work/before" "$work/data"
    moment=$((moment + 1))
    [ $moment -lt 500 ] || fail "the push has no end"
done
rm -rf "$work/data"
[ $there -gt 1 ] && [ $moment -gt $((there + 2)) ] || fail "it was there $there times, of $moment"
echo "a push was killed at $((moment - 2)) moments, of which $((there - 1)) left the app"

# its commit, made and said to have failed
touch "$KEEP_AND_REFUSE"
check start
push counter counter-c # as every one behind it
equal "$(count)" 1 "a write that was made and said to have failed"
rm "$KEEP_AND_REFUSE"
equal "$(count)" 2

# not made: refused, for sure
touch "$REFUSE"
equal "$(status /counter/)" 500 "a write that was not made"
! push hello hello-c 2>/dev/null || fail "an app was stored nowhere, and acknowledged"
rm "$REFUSE"
equal "$(count)" 3 "what was refused is not there"
crash
check start
equal "$(status /hello/)" 404 "an app whose push was refused"
equal "$(count)" 4 "after a restart"

# made, said to have failed, and no way to learn of it: nothing more is written; what is there can be read
touch "$KEEP_AND_REFUSE" "$HIDE_ROOT"
equal "$(status /counter/)" 500 "a write of which nobody knows"
rm "$KEEP_AND_REFUSE" "$HIDE_ROOT"
check logged "whether the commit of epoch .* was made cannot be learned.*Nothing is written any more"
equal "$(status /counter/)" 500 "a write behind it"
! push hello hello-c 2>/dev/null || fail "a push behind it"
equal "$(metric store_stopped)" 1
! ctl get /readyz "${to[@]}" 2>"$work/why" >&2 || fail "/readyz of a server that writes nothing"
contains "$(cat "$work/why")" "answers 503"
contains "$(cat "$work/why")" "the store has stopped"
equal "$(status /healthz)" 200 "it serves, all the same"
check stop
check start
equal "$(metric store_stopped)" 0
contains "$(ctl get /readyz "${to[@]}")" '"status":"ready"'
equal "$(count)" 6 "it had been made"
equal "$(status /hello/)" 404
check stop
