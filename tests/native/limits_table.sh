#!/usr/bin/env bash
# Every number in docs/limits.md is the code's. A row names its constant in its second column, `NAME`, and gives the value
# in its third; and every limit that limits_table knows has a row. Usage: limits_table.sh LIMITS_TABLE DOCUMENT
set -euo pipefail
failed=0
known=$("$1")
while read -r name value; do
    row=$(grep -F "| \`$name\` |" "$2" || true)
    case $row in
    *"| \`$name\` | $value |"*) ;;
    "") echo "$2 does not mention $name, which is $value" && failed=1 ;;
    *) echo "$name is $value, but $2 says: $row" && failed=1 ;;
    esac
done <<<"$known"
for name in $(grep -oE '^\| [^|]* \| `[A-Za-z0-9_]+` \|' "$2" | grep -oE '`[A-Za-z0-9_]+`' | tr -d '`'); do
    grep -q "^$name " <<<"$known" || { echo "$2 names $name, which limits_table.c does not know" && failed=1; }
done
# limits.tests says what goes beyond each of them, and the file has it.
top=$(cd "$(dirname "$0")/../.." && pwd)
while read -r name file text; do
    grep -q "^$name " <<<"$known" || { echo "limits.tests names $name, which limits_table.c does not know" && failed=1; }
    [ "$file" = - ] || grep -qF -- "$text" "$top/$file" || { echo "$file has no '$text' for $name" && failed=1; }
    [ -n "$text" ] || { echo "limits.tests has nothing for $name" && failed=1; }
done < <(grep -v '^#' "$top/tests/native/limits.tests")
for name in $(cut -d' ' -f1 <<<"$known"); do
    [ "$(grep -c "^$name " "$top/tests/native/limits.tests")" = 1 ] || { echo "limits.tests must have $name once" && failed=1; }
done
# Each row's test exists.
for test in $(grep -oE '\(\.\./tests/[^)]*\)' "$2" | tr -d '()' | sed 's:^\.\./::' | sort -u); do
    [ -e "$(dirname "$2")/../$test" ] || { echo "$2 names $test, which does not exist" && failed=1; }
done
exit $failed
