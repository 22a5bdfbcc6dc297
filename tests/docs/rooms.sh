#!/usr/bin/env bash
# ARCHITECTURE.md has the picture that tests/rooms.py draws of the objects in BUILD. Usage: rooms.sh BUILD [--write], which puts
# it there.
set -euo pipefail
cd "$(dirname "$0")/../.."
drawn=$(mktemp) document=$(mktemp)
trap 'rm -f "$drawn" "$document"' EXIT
python3 tests/rooms.py "$1" --draw >"$drawn"
# the block of the section, with what is drawn in its place
awk -v drawn="$drawn" '
    /^## / { section = ($0 == "## Rooms and arrows") }
    section && /^```text$/ { print; while ((getline line <drawn) > 0) print line; inside = 1; next }
    inside && /^```$/ { inside = 0 }
    !inside' ARCHITECTURE.md >"$document"
if [ "${2:-}" = --write ]; then
    cat "$document" >ARCHITECTURE.md
else
    diff ARCHITECTURE.md "$document" || { echo "ARCHITECTURE.md shows other arrows: tests/docs/rooms.sh $1 --write"; exit 1; }
fi
