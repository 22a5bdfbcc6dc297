#!/usr/bin/env bash
# A thousand requests a second, or what the machine can do of that, while an app is replaced fifty times: none fails, each is
# answered by the code that its connection's handshake showed, and none outlives what drains the older generation.
# RATE (1000) and PUSHES (50) make it another load.
. "$(dirname "$0")/lib.sh"
check start
push v hello-c
first_use
check python3 "$(dirname "$0")/load.py" "$port" "${RATE:-1000}" "${PUSHES:-50}" \
    "v=$BUILD/apps/echo.wasm:ping" "v=$BUILD/apps/hello-c.wasm:Hello" "$BUILD/bin/enclavectl" app push v FILE "${to[@]}"
check stop
