#!/usr/bin/env bash
# The Go library by itself: format, go vet, its tests over the vectors of verifier/vectors. Needs no module but itself.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh
. ../../scripts/go.sh
go=$(go_program)
export GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly GOPROXY=off
formatted=$("$("$go" env GOROOT)/bin/gofmt" -l .)
[ -z "$formatted" ] || { echo "not formatted as gofmt does: $formatted"; exit 1; }
others=$("$go" list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' ./... | grep -v '^enclave-os/verifier\(/\|$\)' || true)
[ -z "$others" ] || { echo "it needs more than the standard library: $others"; exit 1; }
"$go" vet ./...
"$go" test -count=1 ./...
"$go" test -run '^$' -fuzz '^FuzzParsers$' -fuzztime 20000x .
