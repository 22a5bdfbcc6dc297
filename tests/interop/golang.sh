#!/usr/bin/env bash
# The Go library judges a quote of real hardware, with Intel's collateral: what the crate of dcap-qvl has as its sample.
set -euo pipefail
shopt -s inherit_errexit
built=$("$(dirname "$0")/build.sh") # of interop
cd "$(dirname "$0")/../../bindings/go"
. ../../scripts/progress.sh
. ../../scripts/go.sh
export REAL_QUOTE=$built GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly GOPROXY=off
said=$("$(go_program)" test -count=1 -run '^TestRealQuote$' -v .) || { echo "$said"; exit 1; }
grep -q -e '--- PASS: TestRealQuote' <<<"$said"
