#!/usr/bin/env bash
# The witness of the other tests, by a log that is not ours: what it answers is what tlog-witness has it be.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

origin=example.com/log
key=$("$witness_programs/asker" key "$work/log.key" $origin)
ask_witness() { # OLD NEW: the answer in one line
    "$witness_programs/asker" ask "$work/log.key" "http://127.0.0.1:${witness_port[w1]}" "${witness_vkey[w1]}" "$1" "$2" | paste -sd ' '
}

witness_start w1
contains "${witness_vkey[w1]}" "w1.example+"
equal "$(ask_witness 0 1)" "403 unknown log"
witness_know w1 $origin "$key"
equal "$(witness_size w1 $origin)" 0
equal "$(ask_witness 0 1)" "200 cosigned"
equal "$(ask_witness 1 7)" "200 cosigned"
equal "$(ask_witness 7 7)" "200 cosigned" "the same again"
equal "$(ask_witness 3 8)" "409 7" "an old size that is not the witness's"
equal "$(ask_witness 0 4)" "409 7"
equal "$(witness_size w1 $origin)" 7
witness_stop w1
witness_start w1
equal "$(ask_witness 7 300)" "200 cosigned" "after it was away"
