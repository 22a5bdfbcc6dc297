//! Nothing of its own: this crate only turns wasmtime's official C API into one static library.
pub use wasmtime_c_api::*;
