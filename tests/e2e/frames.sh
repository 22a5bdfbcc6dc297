#!/usr/bin/env bash
# Every frame in the image, whoever compiled it, is smaller than the gap below a stack, or is probed page by page on its
# way down. Read from the code itself: what is taken off the stack pointer at once.
# Usage: frames.sh IMAGE.elf
set -euo pipefail
gap=65536
list=$(objdump -d --no-show-raw-insn "$1" | awk '
    /[ \t](sub|add) +\$-?0x[0-9a-f]+,%rsp/ { split($0, a, "$"); split(a[2], b, ","); print ($0 ~ /[ \t]add/ ? "add " : "sub ") b[1] }
    /[ \t]lea +-0x[0-9a-f]+\(%rsp\),%r/ { split($0, a, "-0x"); split(a[2], b, "("); print (($0 ~ /,%rsp/) ? "sub" : "probed") " 0x" b[1] }')
[ "$(wc -l <<<"$list")" -gt 1000 ] || { echo "no frames were found in $1" >&2; exit 1; }
largest=0 probed=0
while read -r how size; do
    case $how in
    add) case $size in -*) size=${size#-} ;; 0xffffffff*) size=$((-size)) ;; *) continue ;; esac ;; # it gives back
    esac
    size=$((size))
    [ "$how" != probed ] || { [ $size -lt 4096 ] || probed=$((size > probed ? size : probed)); continue; }
    largest=$((size > largest ? size : largest))
done < <(sort -u <<<"$list")
echo "largest frame that is taken at once: $largest bytes; with probes: $probed"
[ $largest -lt $gap ] || { echo "a frame reaches over the gap" >&2; exit 1; }
