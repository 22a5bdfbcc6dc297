#!/usr/bin/env bash
# Random operations on files (apps/guests/random-files.c), in a component and natively on a tmpfs: the answers are the same,
# line by line. SEED=n begins elsewhere, SEEDS and OPERATIONS try more.
. "$(dirname "$0")/lib.sh"
first=${SEED:-$RANDOM} seeds=${SEEDS:-8} operations=${OPERATIONS:-1500}
native=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$native"; cleanup' EXIT
cc -O1 -Wall -Wextra -o "$work/random-files" "$SOURCE/apps/guests/random-files.c"
check start
push random random-files
wrong=0
for seed in $(seq "$first" $((first + seeds - 1))); do
    get "/random/?$seed-$operations" >"$work/component"
    (cd "$native" && "$work/random-files" "$seed" "$operations") >"$work/native"
    [ "$(wc -l <"$work/native")" = "$operations" ] || fail "seed $seed: $(wc -l <"$work/native") lines of $operations"
    [ -z "$(ls -A "$native")" ] || fail "seed $seed leaves $(ls -A "$native")"
    cmp -s "$work/native" "$work/component" && continue
    wrong=$((wrong + 1))
    line=$({ cmp "$work/native" "$work/component" || true; } 2>&1 | sed -n 's/.* line \([0-9]*\).*/\1/p')
    echo "seed $seed differs:"
    echo "    Linux:     $(sed -n "${line:-1}p" "$work/native")"
    echo "    component: $(sed -n "${line:-1}p" "$work/component")"
done
echo "$seeds seeds from $first, $operations operations each"
[ "$wrong" = 0 ] || fail "$wrong of $seeds seeds"
check stop
