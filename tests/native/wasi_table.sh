#!/usr/bin/env bash
# docs/wasi.md says of every WASI function what the code does. Usage: wasi_table.sh WASI_TABLE ALL-IMPORTS.wasm DOCUMENT
set -euo pipefail
[ -f "$2" ] || { echo "components not built (apps/build.sh)"; exit 77; }
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$1" "$2" >"$made" || { grep -F '**' "$made"; exit 1; } # missing, or of another type
diff "$3" "$made" || { echo "docs/wasi.md is stale: ./dev wasi-table"; exit 1; }
