#!/usr/bin/env bash
# The JavaScript example: 13 MB of engine compiled inside the enclave, answers, and starts quickly from the sealed artefact.
. "$(dirname "$0")/lib.sh"

check start
push js hello-js
push hello hello-c
contains "$(get /js/)" "JavaScript"
for _ in 1 2 3 4 5; do equal "$(status /js/)" 200; done
check stop
begin=$(date +%s%N)
check start
contains "$(get /js/)" "JavaScript"
echo "first answer of the JavaScript app $((($(date +%s%N) - begin) / 1000000)) ms after start"
check stop
