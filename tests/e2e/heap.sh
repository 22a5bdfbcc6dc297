#!/usr/bin/env bash
# Programs of each recipe for a language with an allocator of its own, each with blocks of memory that it allocates,
# moves and frees between calls which reach the preview 1 adapter: nobody writes into them (apps/guests/heap.h).
# SEED=n tries another order.
. "$(dirname "$0")/lib.sh"
first=${SEED:-$RANDOM}
echo "seeds from $first on"
check start --request-timeout 600000
for app in heap-command heap-handler heap-cpp heap-as; do
    push heap "$app"
    for seed in $(seq "$first" $((first + 4))); do
        equal "$(get "/heap/?$seed" --max-time 600)" whole "$app with seed $seed"
    done
done
# what the recipes do not let through: a module that leaves the adapter to grow the memory
printf '\0asm\1\0\0\0' >"$work/bare.wasm"
node "$SOURCE/apps/componentize.mjs" "$SOURCE/apps/common/command.wit" "$SOURCE" "$work/bare.wasm" "$work/made.wasm" \
    "$work/bare.wasm" 2>"$work/said" && fail "a module without cabi_realloc was given an adapter"
contains "$(cat "$work/said")" "does not export cabi_realloc"
check stop
