#!/usr/bin/env bash
# Check the models: as they are, all orders of all steps; with each fault that they know, that it is found.
# run.sh [GENERATIONS]
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
effort=0 # for the faults: compiling takes longer than finding them

# check MODEL [-DFAULT_...]: prints what spin's verifier says in its own words.
check() {
    local model=$1 dir
    dir=$(mktemp -d -p "$work")
    shift
    cp "$model.pml" "$dir"
    (cd "$dir" && spin -a "$@" "$model.pml" >spin.log 2>&1 &&
        cc -O$effort -w -DSAFETY -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c && ./pan -m200000 >pan.log 2>&1) ||
        { cat "$dir"/*.log; return 2; }
    cat "$dir/pan.log"
}

sound() {
    local said
    said=$(check "$@") || { echo "FAILED: $* cannot be checked: $said"; failed=1; return; }
    if grep -q 'errors: 0' <<<"$said" && ! grep -qE 'Search not completed|max search depth too small|out of memory' <<<"$said"; then
        echo "ok: $*: $(grep -oE '[0-9.e+]+ states, stored' <<<"$said" | head -n 1), no error"
    else
        echo "FAILED: $*"
        printf '%s\n' "$said" | head -n 20
        failed=1
    fi
}

found() {
    local said
    said=$(check "$@") || { echo "FAILED: $* cannot be checked: $said"; failed=1; return; }
    if grep -q 'errors: [1-9]' <<<"$said"; then
        echo "ok: $*: found: $(grep -m 1 '^pan:1' <<<"$said" | sed 's/^pan:1: //')"
    else
        echo "FAILED: $* is not found: the model shows nothing"
        failed=1
    fi
}

effort=2 sound channel "-DGENERATIONS=${1:-3}"
for fault in $(grep -oE '^#if(n?def) FAULT_[A-Z_]+' channel.pml | awk '{print $2}' | sort -u); do
    found channel "-D$fault"
done
for model in claim ticks; do
    sound $model
    for fault in $(grep -oE '^#if(n?def) FAULT_[A-Z_]+' $model.pml | awk '{print $2}' | sort -u); do
        found $model "-D$fault"
    done
done
exit $failed
