//! Compiled code lies in memory of the embedder's, who alone knows what its pages can do: wasmtime's own way maps
//! memory and asks for permissions that SGX1 cannot give and take, and fails if it is told so.
//!
//! Compiling yields an artefact; loading one is the embedder's copy of it, which wasmtime uses where it lies.
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use wasmtime_c_api::wasmtime::component::Component;
use wasmtime_c_api::wasmtime::{Config, CustomCodeMemory, Engine, Error, Result};
use wasmtime_c_api::{wasm_byte_vec_t, wasm_config_t, wasm_engine_t, wasmtime_component_t, wasmtime_error_t};

/// `struct code_memory` in `enclave/wasm/shim.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CodeMemory {
    publish: extern "C" fn(*mut c_void, *const u8, usize) -> bool,
    release: extern "C" fn(*mut c_void, *const u8),
    user: *mut c_void,
}
// What the functions do is thread-safe: shim.h says so.
unsafe impl Send for CodeMemory {}
unsafe impl Sync for CodeMemory {}

const PAGE: usize = 4096;

impl CustomCodeMemory for CodeMemory {
    fn required_alignment(&self) -> usize {
        PAGE
    }
    fn publish_executable(&self, ptr: *const u8, len: usize) -> Result<()> {
        match (self.publish)(self.user, ptr, len) {
            true => Ok(()),
            false => Err(Error::msg("the code's pages cannot be made executable")),
        }
    }
    /// The last that wasmtime does with a component's memory.
    fn unpublish_executable(&self, ptr: *const u8, _len: usize) -> Result<()> {
        (self.release)(self.user, ptr);
        Ok(())
    }
}

/// # Safety
/// `memory.user` outlives the engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_config_code_memory(config: &mut wasm_config_t, memory: &CodeMemory) {
    // The C API's types are `repr(C)` around one of wasmtime's alone.
    let config = unsafe { &mut *(config as *mut wasm_config_t).cast::<Config>() };
    config.with_custom_code_memory(Some(Arc::new(*memory)));
}

unsafe fn engine_of(engine: &wasm_engine_t) -> &Engine {
    unsafe { &*(engine as *const wasm_engine_t).cast() }
}

/// # Safety
/// `data` points to `size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_component_compile(
    engine: &wasm_engine_t,
    data: *const u8,
    size: usize,
    artefact: &mut wasm_byte_vec_t,
) -> Option<Box<wasmtime_error_t>> {
    let data = unsafe { std::slice::from_raw_parts(data, size) };
    match unsafe { engine_of(engine) }.precompile_component(data) {
        Ok(bytes) => {
            artefact.set_buffer(bytes);
            None
        }
        Err(error) => Some(Box::new(error.into())),
    }
}

/// # Safety
/// `artefact` is what this engine compiled, at the start of a page, and stays as it is until it is released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_component_load(
    engine: &wasm_engine_t,
    artefact: NonNull<u8>,
    size: usize,
    out: &mut *mut wasmtime_component_t,
) -> Option<Box<wasmtime_error_t>> {
    let memory = NonNull::slice_from_raw_parts(artefact, size);
    match unsafe { Component::deserialize_raw(engine_of(engine), memory) } {
        Ok(component) => {
            // `repr(transparent)` around it.
            *out = Box::into_raw(Box::new(component)).cast();
            None
        }
        Err(error) => Some(Box::new(error.into())),
    }
}
