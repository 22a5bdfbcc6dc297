//! What a guest's store may have. Counts are constants, a memory's size is the app's limit; linear memories are charged
//! where they are made (memories.c), tables here, as they grow.
use std::ffi::c_void;

use wasmtime_c_api::wasmtime::component::Component;
use wasmtime_c_api::wasmtime::{ResourceLimiter, Result, Store};
use wasmtime_c_api::{WasmtimeStoreData, wasmtime_component_t, wasmtime_store_t};

use crate::call::component_of;

/// `struct store_limits` in `enclave/wasm/shim.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreLimits {
    memory_bytes: u64,
    table_elements: u64,
    instances: u64,
    tables: u64,
    memories: u64,
    /// Asks whether the user may hold this many bytes more of tables; they are the store's until it is deleted.
    charge: extern "C" fn(*mut c_void, u64) -> bool,
    user: *mut c_void,
}
// Used only by the thread that polls the store's guest.
unsafe impl Send for StoreLimits {}
unsafe impl Sync for StoreLimits {}

/// An element takes at most 16 bytes: 8, and a vector that grows has twice what it needs.
const ELEMENT_BYTES: u64 = 16;

struct Limiter(StoreLimits);

fn fits(desired: usize, limit: u64, maximum: Option<usize>) -> bool {
    desired as u64 <= limit && maximum.is_none_or(|most| desired <= most)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        Ok(fits(desired, self.0.memory_bytes, maximum))
    }
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let more = (desired - current.min(desired)) as u64;
        Ok(fits(desired, self.0.table_elements, maximum) && (self.0.charge)(self.0.user, more * ELEMENT_BYTES))
    }
    fn instances(&self) -> usize {
        self.0.instances as usize
    }
    fn tables(&self) -> usize {
        self.0.tables as usize
    }
    fn memories(&self) -> usize {
        self.0.memories as usize
    }
}

/// The store hands out what it is given for as long as it lives, so the limiter lives in its closure.
struct Held(*mut Limiter);
unsafe impl Send for Held {}
unsafe impl Sync for Held {}
impl Drop for Held {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// # Safety
/// `limits.user` outlives the store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_store_limit(store: &mut wasmtime_store_t, limits: &StoreLimits) {
    // The C API's type is `repr(C)` around this one alone.
    let store = unsafe { &mut *(store as *mut wasmtime_store_t).cast::<Store<WasmtimeStoreData>>() };
    let held = Held(Box::into_raw(Box::new(Limiter(*limits))));
    // Only the store calls this, and never while it still uses what it got before.
    store.limiter(move |_| {
        let held = &held;
        unsafe { &mut *held.0 }
    });
}

/// `struct component_demand` in C: what its instances begin with.
#[repr(C)]
#[derive(Default)]
pub struct Demand {
    memories: u64,
    tables: u64,
    largest_memory: u64,
    largest_table: u64,
}

/// False if the component imports modules, so that nobody knows.
///
/// # Safety
/// The C API's component is `repr(transparent)` around wasmtime's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_component_demand(component: &wasmtime_component_t, out: &mut Demand) -> bool {
    let component: &Component = unsafe { component_of(component) };
    let Some(needed) = component.resources_required() else { return false };
    *out = Demand {
        memories: needed.num_memories.into(),
        tables: needed.num_tables.into(),
        largest_memory: needed.max_initial_memory_size.unwrap_or(0),
        largest_table: needed.max_initial_table_size.unwrap_or(0),
    };
    true
}
