#!/usr/bin/env bash
# Build checker.go, a reader of logs; print the folder that holds it.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh
. ../../scripts/go.sh
go_programs log 60 .:checker
