#!/usr/bin/env bash
# A hand-over, either side of which is killed at any request of its host's and any answer, and started again: whatever the
# moment, one of them serves in the end, and all that was acknowledged is there; the other one serves nobody.
#
# KILLS=all has every moment its turn; else some have, by SEED.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
seed=${SEED:-$RANDOM}
echo "SEED=$seed"
RANDOM=$seed
stride=11
[ "${KILLS:-}" != all ] || stride=1
make_image "$work/next.signed" 2 575
plain=$HOST lying=$BUILD/bin/lying_store
count_of() { ask "$1/counter/" | grep -o '[0-9]*$' | tail -n 1; }

check start --upgrade-rule signer
push counter counter-c
equal "$(count_of "$url")" 1
check stop
cp -r "$work/data" "$work/before"

# Approves whoever shows itself, as an operator would who looks again and again.
approver() {
    while sleep 0.2; do
        shown && known && approve "$(recipient)" || true
    done >/dev/null 2>&1
}
old_is_up() { logged '^ready' || ! kill -0 "$server" 2>/dev/null; }
# Once more, as its service manager would: it serves, or it says nothing but what was said; or its key is gone, and it ends.
old_again() {
    if ! HOST=$plain start; then
        wait "$server" 2>/dev/null || true
        server=
        contains "$(cat "$work/server.log")" "no sealed master key"
    fi
}
new_over() { grep -q '^ready' "$work/new.log" || ! kill -0 "$new_server" 2>/dev/null; }

# until_over WHO MOMENT: a hand-over in which WHO (old, new) is killed at that moment. 0: it was; 1: it was over before
until_over() {
    local who=$1 moment=$2 killed=1 got= most=2
    rm -rf "$work/data" "$work/new-data" "$work/count"
    cp -r "$work/before" "$work/data"
    if [ "$who" = old ]; then
        HOST=$lying KILL_AT=$moment COUNT_WHILE=$work/count check start
        touch "$work/count"
        HOST=$plain new_begin
    else
        HOST=$plain check start
        HOST=$lying KILL_AT=$moment new_begin
    fi
    approver & approves=$!
    if [ "$who" = old ]; then
        ends_or_ready() { gone "$server" || grep -q '^ready' "$work/new.log"; }
        await "moment $moment of the old one" ends_or_ready
        if grep -q "killed at moment" "$work/server.log"; then
            killed=0
            wait "$server" 2>/dev/null || true
            server=
            rm -f "$work/count"
            old_again
        fi
    else
        await "moment $moment of the new one" new_over
        # It may still be killed when it serves, perhaps by this very request's commit.
        if grep -q '^ready' "$work/new.log"; then got=$(count_of "$new_url" || true); fi
        [ "$got" ] || most=3
        if grep -q "killed at moment" "$work/new.log"; then
            killed=0
            wait "$new_server" 2>/dev/null || true
            # Nothing was given, so the old one serves; or it was, and it does not.
            if logged "the new enclave serves"; then
                : # and the old one has ended, or is about to
            elif logged "this instance has been given"; then
                withheld() { [ "$(status /counter/)" = 503 ] || gone "$server"; } # it may end, since it was just told to
                await "the old one's refusal" withheld
            elif kill -0 "$server" 2>/dev/null; then
                serves_on() { [ "$(status /counter/peek)" = 200 ]; }
                given_or_serves() { logged "this instance has been given" || serves_on; }
                await "the old one's answer" given_or_serves
            fi
            HOST=$plain new_begin
        fi
    fi
    await "the new one, after moment $moment of the $who one" new_ready
    got=${got:-$(count_of "$new_url")}
    [ "$got" = 2 ] || [ "$got" = $most ] || fail "after moment $moment of the $who one the counter is '$got'"
    if [ "$server" ]; then
        await "the old one's end, after moment $moment of the $who one" gone "$server"
        # ready may have been seen before its moment came
        old_ends || [ $killed = 0 ] || { logged "killed at moment" && killed=0; } || fail "the old one failed at its end"
    fi
    kill $approves
    wait $approves 2>/dev/null || true
    ! HOST=$plain start || fail "the old one serves again, after moment $moment of the $who one"
    server=
    kill -KILL "$new_server"
    wait "$new_server" 2>/dev/null || true
    return $killed
}

for who in new old; do
    moment=$((RANDOM % stride + 1)) times=0
    while until_over $who $moment; do
        moment=$((moment + stride)) times=$((times + 1))
        [ $times -lt 500 ] || fail "a hand-over has no end"
    done
    echo "the $who one was killed $times times, over $moment moments"
    [ $times -gt 0 ] || fail "the $who one was never killed"
done
