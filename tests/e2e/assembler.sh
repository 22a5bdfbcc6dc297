#!/usr/bin/env bash
# A program that was never meant for this: GNU as for AVR, as a package has it for WASI preview 1, made a command. It
# reads the source from stdin, keeps temporary and object files in its root, and lists to stdout.
. "$(dirname "$0")/lib.sh"

check start
push as as-avr
echo '{"arguments":["-aln"]}' >"$work/settings"
ctl app settings as "$work/settings" "${to[@]}" >/dev/null
assemble() { get /as/ --data-binary "$1"; }
contains "$(assemble $'ldi r16, 1\nrjmp .\n')" "1 0000 01E0"
# what it says of an error is in the log; its failure may cut the listing
assemble $'no such instruction\n' >/dev/null || true
contains "$(cat "$work/server.log")" "app as: {standard input}:1: Error: unknown opcode"
# a long source, and the next one is none the worse
for i in $(seq 4000); do echo "label$i: ldi r17, $((i % 256))"; done >"$work/source"
equal "$(get /as/ --data-binary "@$work/source" | grep -c 'ldi r17')" 4000 "lines of a long listing"
contains "$(assemble $'nop\n')" "1 0000 0000"
check stop
