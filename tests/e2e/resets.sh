#!/usr/bin/env bash
# Connections that are cut at every point, under two workers: none hangs, none that was not cut misses an answer, and
# no slot is lost. RESETS=100000 for more of them; RESETS_SEED repeats a run.
. "$(dirname "$0")/lib.sh"
check start --workers 2
push echo echo
check "$BUILD/bin/reset_client" "$port" "${RESETS:-20000}" ${RESETS_SEED:-}

check slots_are_free
equal "$(status /echo/ -d x)" 200 "afterwards"
check stop
