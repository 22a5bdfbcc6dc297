//! wasmtime's official C API as one static library, plus the little that it lacks for serving requests:
//!
//! - host functions whose arguments arrive as flat *slots* (`host.rs`). The C API converts every value twice and
//!   passes `list<u8>` as one tagged value per byte; here resources are their number, bytes stay where they are.
//! - an instance-pre for components and one future for "instantiate and handle one request" (`call.rs`).
//! - what a component needs, and bounds that hold before anything recurses over it or compiles it (`check.rs`), and the
//!   store's limits, with tables charged as they grow (`limit.rs`).
//! - components that write down what they write (`mark.rs`, and the crate in `mark/`), so that a memory that was used can
//!   be put back to what it was.
//! - memory for compiled code that the embedder has, and publishes (`code.rs`).
//! - the imports and exports of a component with their types as text (`describe.rs`), so that the enclave can check
//!   at deployment what a dynamic linker would only notice in the middle of a request.
//!
//! The C side of these declarations is `enclave/wasm/shim.h`.
pub use wasmtime_c_api::*;

mod call;
mod check;
mod code;
mod describe;
mod host;
mod limit;
mod mark;
