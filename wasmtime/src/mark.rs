//! A component that marks what it writes: see the crate `enclave-mark`.
use wasmtime_c_api::wasmtime::Error;
use wasmtime_c_api::{wasm_byte_vec_t, wasmtime_error_t};

/// `struct marked_component` in `enclave/wasm/shim.h`.
#[repr(C)]
pub struct MarkedComponent {
    component: wasm_byte_vec_t,
    /// For each memory that instantiating makes: `enum memory_role`.
    memories: wasm_byte_vec_t,
    image: wasm_byte_vec_t,
    image_offset: u64,
    memory_bytes: u64,
}

/// The error says why it has to run as it is.
///
/// # Safety
/// `data` points to `size` readable bytes, which `enclave_component_check` has accepted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_component_mark(
    data: *const u8,
    size: usize,
    out: &mut MarkedComponent,
) -> Option<Box<wasmtime_error_t>> {
    let data = unsafe { std::slice::from_raw_parts(data, size) };
    match enclave_mark::mark(data) {
        Ok(marked) => {
            out.component.set_buffer(marked.component);
            out.memories.set_buffer(marked.memories.iter().map(|role| *role as u8).collect());
            out.image.set_buffer(marked.image.bytes);
            out.image_offset = marked.image.offset;
            out.memory_bytes = marked.image.memory_bytes;
            None
        }
        Err(why) => Some(Box::new(Error::msg(why.0).into())),
    }
}
