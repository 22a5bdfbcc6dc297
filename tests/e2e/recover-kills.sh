#!/usr/bin/env bash
# A recovery that is killed at any request of its host's and any answer, while it asks for shares and while it opens the store by
# them, and whose command is given again: it goes on, to one outcome, and nothing is lost; and so does a change of the holders.
#
# KILLS=all has every moment its turn; else some have, by SEED.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/recover_lib.sh"
seed=${SEED:-$RANDOM}
echo "SEED=$seed"
RANDOM=$seed
plain=$HOST lying=$BUILD/bin/lying_store
count_of() { get /counter/ | grep -o '[0-9]*$' | tail -n 1; }
down() { kill -KILL "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; } # or it is already
# killed_at WHAT OPTION...: a start with these is killed at $moment; 1: it was over before
killed_at() {
    local what=$1 code=0
    shift
    HOST=$lying KILL_AT=$moment start "$@" || true
    if grep -q "killed at moment" "$work/server.log"; then
        wait "$server" 2>/dev/null || true
        server=
        return 0
    fi
    if kill -0 "$server" 2>/dev/null; then crash; else wait "$server" || code=$?; fi
    server=
    equal "$code" 0 "$what, which was not killed: $(tail -n 3 "$work/server.log")"
    return 1
}
# How it ends, whatever came before: the count is one more, and the history has one recovery, by these shares.
judge() { # WHAT COUNT
    equal "$(count_of)" "$2" "$1: the counter"
    said=$(ctl log "$url" --policy "$policy") || fail "$1: log: $said"
    equal "$(grep -c "by shares" <<<"$said")" 1 "$1: entries"
}
each_moment() { # WHAT STRIDE FUNCTION
    local stride=$2 times=0
    [ "${KILLS:-}" != all ] || stride=1
    moment=$((RANDOM % stride + 1))
    while "$3"; do
        moment=$((moment + stride)) times=$((times + 1))
        [ $times -lt 1000 ] || fail "$1 has no end"
    done
    echo "$1: killed $times times, over $moment moments"
    [ $times -gt 0 ] || fail "$1 was never killed"
}

check start "${of[@]}"
push counter counter-c
equal "$(count_of)" 1
first_use
check stop
rm -rf "$work/sim"
cp -r "$work/data" "$work/lost"

asking() {
    local killed=1
    rm -rf "$work/data" "$work"/?.share && cp -r "$work/lost" "$work/data"
    killed_at "asking" --recover && killed=0
    ends "asking after moment $moment" 0 "recover.request is for the holders of shares" --recover
    for name in a c; do check give $name $name.share >/dev/null; done
    return $killed
}
each_moment "asking" 9 asking
cp -r "$work/data" "$work/asked"

opening() {
    local killed=1
    rm -rf "$work/data" && cp -r "$work/asked" "$work/data"
    killed_at "opening" --recover $(shares a.share c.share) && killed=0
    HOST=$plain check start --recover $(shares a.share c.share)
    judge "after moment $moment" 2
    crash
    return $killed
}
each_moment "opening" 37 opening

# The holders' change: in force or not, what the host has beside the store is the same sharing that clients see.
changing() {
    local killed=0
    rm -rf "$work/data" "$work/count" && cp -r "$work/opened" "$work/data"
    HOST=$lying KILL_AT=$moment COUNT_WHILE=$work/count check start
    ctl recovery show "${to[@]}" --json >"$work/order.json"
    touch "$work/count"
    if ctl recovery set "$work/order.json" "${to[@]}" >/dev/null 2>&1; then killed=1; fi
    rm -f "$work/count"
    down
    cp -r "$work/data" "$work/found" # where it lies, no enclave is needed to say so
    ctl recover --dry-run --key "$work/a" --key "$work/b" --data "$work/found" --save "$work/found.json" >/dev/null ||
        fail "after moment $moment the shares beside the store do not open"
    rm -rf "$work/found"
    HOST=$plain check start
    equal "$(get /_enclave/recovery/shares)" "$(cat "$work/found.json")" "after moment $moment"
    rm -f "$work/found.json"
    [ $killed = 0 ] || contains "$(ctl recovery show "${to[@]}")" "sharing 2: any 2 of 3"
    crash
    return $killed
}
check start
check stop
cp -r "$work/data" "$work/opened"
each_moment "a change of the holders" 5 changing
