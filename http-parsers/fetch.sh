#!/usr/bin/env bash
# Fetch the C sources of llhttp and http-parser once per lock file and print the folder that holds llhttp/ and
# http-parser/.
# They are kept outside the tree, so that neither a clean tree nor a second checkout fetches them again.
set -euo pipefail
cd "$(dirname "$0")"

key=$(sha256sum requirements.txt | cut -c1-16)
cache=${ENCLAVE_OS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os}
. ../scripts/clients.sh
out=$cache/http-parsers-$key
if [ ! -f "$out/complete" ]; then
    echo "fetching the HTTP parsers' sources (pip, once)..." >&2
    mkdir -p "$cache"
    scratch=$(mktemp -d -p "$cache")
    trap 'rm -rf "$scratch"' EXIT
    python3 -m venv "$scratch/tools"
    pip() { "$scratch/tools/bin/pip" --quiet --disable-pip-version-check "$@" >&2; }
    pip install --no-deps --require-hashes -r <(grep '^setuptools' requirements.txt)
    # A source package is read with what was just installed, not with whatever its index holds today.
    pip download --no-deps --require-hashes --no-build-isolation --no-binary :all: -d "$scratch" -r <(grep '^httptools' requirements.txt)
    mkdir "$scratch/made"
    tar -xzf "$scratch"/httptools-*.tar.gz -C "$scratch/made" --strip-components=2 --wildcards 'httptools-*/vendor'
    touch "$scratch/made/complete"
    mv -T "$scratch/made" "$out" 2>/dev/null || [ -f "$out/complete" ] # another build was as quick
fi
echo "$out"
