#!/usr/bin/env bash
# Each row of docs/http.md names a test that exists: a function, or a text in the file of that test.
# Usage: http_document.sh DOCUMENT
set -euo pipefail
tests=$(cd "$(dirname "$0")/.." && pwd)
failed=0 rows=0
while IFS= read -r row; do
    rows=$((rows + 1))
    test=$(sed -E 's/.*\| ([^|]*) \|$/\1/' <<<"$row")
    name=${test%% *} what=${test#* }
    case $name in
    enclave/*) file=$tests/../${name}_test.c ;;
    apps) file=$tests/native/apps_test.sh ;;
    guest) file=$tests/native/guest_test.c ;;
    e2e/*) file=$tests/$name.sh ;;
    *) file=/nonexistent ;;
    esac
    what=${what//[\`\"]/}
    # a word or two at least: an empty text is in every file
    [ -f "$file" ] && [ ${#what} -ge 5 ] && grep -qF -- "$what" "$file" || { echo "no such test: $test (in: ${row:0:60})" && failed=1; }
done < <(grep -E '^\| [0-9R]' "$1")
[ $rows -ge 60 ] || { echo "only $rows rows" && failed=1; }
exit $failed
