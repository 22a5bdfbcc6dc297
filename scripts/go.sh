# Programs in Go that tests need. Sourced behind progress.sh, in the folder of go.mod and go.sum; modules come through Go's
# proxy, as go.sum has them.

# This machine's Go where it is new enough for go.mod, else the one that apps are built with.
go_program() {
    local version
    version=$(go env GOVERSION 2>/dev/null || true)
    if printf '%s\n' "go$(sed -n 's/^go //p' go.mod)" "$version" | sort -VC; then
        command -v go
    else
        echo "$(../../apps/build.sh --go)/bin/go"
    fi
}

go_build() { # FOLDER SECONDS PACKAGE:PROGRAM...
    local out=$1 seconds=$2 program package
    shift 2
    [ ! -f "$out/complete" ] || return 0 # another build has made it meanwhile
    program=$(go_program)
    mkdir -p "$out"
    for package in "$@"; do
        GOTOOLCHAIN=local GOWORK=off GOFLAGS= step "${package#*:}, and what it is made of" "$seconds" \
            "$program" build -buildvcs=false -mod=readonly -trimpath -o "$out/${package#*:}" "${package%:*}" >&2
    done
    touch "$out/complete"
}

# Print the folder that holds the programs, which are built once per source and lock file; it is outside the tree, as
# wasmtime/build.sh's is.
go_programs() { # NAME SECONDS PACKAGE:PROGRAM...
    local name=$1 out
    out=$cache/$name-$(cat go.mod go.sum ./*.go ../../scripts/go.sh | sha256sum | cut -c1-16)
    shift
    [ -f "$out/complete" ] || locked "$name" go_build "$out" "$@"
    echo "$out"
}
