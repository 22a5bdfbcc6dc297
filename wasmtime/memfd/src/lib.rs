//! What wasmtime calls of the crate `memfd`, for a place without files in memory.
//!
//! With `memory_init_cow`, which makes one piece of a module's data at compile time, wasmtime keeps that piece in such a
//! file to map it into linear memories, and refuses memories that the embedder makes, as the enclave does. Told that
//! there are none, as an old kernel would say, it copies the piece.
use std::convert::Infallible;
use std::fs::File;
use std::{fmt, io};

pub struct MemfdOptions;

impl MemfdOptions {
    pub fn new() -> Self {
        Self
    }

    pub fn allow_sealing(self, _allow: bool) -> Self {
        self
    }

    pub fn create<T: AsRef<str>>(self, _name: T) -> Result<Memfd, Error> {
        Err(Error::Create(io::ErrorKind::Unsupported.into()))
    }
}

/// Never made.
#[derive(Debug)]
pub struct Memfd(Infallible);

impl Memfd {
    pub fn as_file(&self) -> &File {
        match self.0 {}
    }

    pub fn add_seals<'a>(&self, _seals: impl IntoIterator<Item = &'a FileSeal>) -> Result<(), Error> {
        match self.0 {}
    }
}

pub enum FileSeal {
    SealGrow,
    SealShrink,
    SealWrite,
    SealSeal,
}

#[derive(Debug)]
pub enum Error {
    Create(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error::Create(error) = self;
        error.fmt(f)
    }
}

impl std::error::Error for Error {}
