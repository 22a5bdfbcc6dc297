//! Nothing: what is wanted of this package is what Cargo.lock names. See build.sh.
