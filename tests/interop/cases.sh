#!/usr/bin/env bash
# Our verdicts on good and bad quotes against those of dcap-qvl: cases.sh CASES SAMPLE, our two programs
set -euo pipefail
here=$(dirname "$0")
built=$("$here/build.sh")
tool=$built/interop
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/cases"
# A real quote, in the time of its collateral, before it and after it.
real() { "$2" "$built/sgx_quote" "$built/sgx_quote_collateral.json" "$work/cases" "$(date -ud "$4" +%s)" "$3"; }
{
    "$1" "$work/cases"
    real "$@" "real quote" 2025-06-25
    real "$@" "real quote, collateral not yet valid" 2025-06-18
    real "$@" "real quote, stale collateral" 2025-08-01
} 2>"$work/our-reasons" | LC_ALL=C sort >"$work/ours"
"$tool" cases "$work/cases" 2>"$work/their-reasons" | LC_ALL=C sort >"$work/theirs"
cat "$work/ours"
if ! diff "$work/ours" "$work/theirs"; then
    cat "$work/our-reasons" "$work/their-reasons"
    exit 1
fi
# The table itself must have both kinds, and each status that a quote can have.
for status in UpToDate OutOfDate SWHardeningNeeded ConfigurationNeeded ConfigurationAndSWHardeningNeeded \
    OutOfDateConfigurationNeeded refused; do
    cut -f2 "$work/ours" | grep -qx "$status" || { echo "no case ends as $status"; exit 1; }
done
grep -qP '^good\tUpToDate\taccepted$' "$work/ours"
grep -qP '^debug\trefused\trefused$' "$work/ours"
echo "$(wc -l <"$work/ours") cases, the same verdict in each"
