#!/usr/bin/env bash
# Build Pebble, a certificate authority that speaks ACME, and its DNS server, which others wrote; print the folder that holds them.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh
. ../../scripts/go.sh
go_programs acme 240 github.com/letsencrypt/pebble/v2/cmd/pebble:pebble \
    github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv:pebble-challtestsrv
