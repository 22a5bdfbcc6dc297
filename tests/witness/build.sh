#!/usr/bin/env bash
# Build litewitness, a witness that others wrote, and asker.go; print the folder that holds them.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh
. ../../scripts/go.sh
go_programs witness 240 .:asker filippo.io/torchwood/cmd/litewitness:litewitness
