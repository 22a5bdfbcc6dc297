#!/usr/bin/env bash
# A host that rings for what is not there and posts what may not be: whoever it also rings for honestly is served as
# ever, and no slot is lost.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_bells
LIE_SEED=${LIE_SEED:-$RANDOM}
export LIE_SEED
echo "LIE_SEED=$LIE_SEED"
check start --workers 2
push echo echo
check "$BUILD/bin/reset_client" "$port" "${RESETS:-4000}" ${RESETS_SEED:-}
equal "$(get /echo/ -d "still here")" "still here"
check slots_are_free
check stop
